"""The worker `postbox`: mails to the shop."""

from workers import clock
from workers.consent.floods import Floods
from workers.contact import ContactDesk
from workers.engine import host
from workers.erasure.desk import RequestDesk
from workers.mail.desk import MailDesk
from workers.postbox.flows import Flows
from workers.postbox.inbox import Inbox
from workers.postbox.listener import Listener
from workers.postbox.sorter import Sorter
from workers.wiring import consent, erasure
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """The listener and the sorter. Raises UsageError when the purposes file is wrong."""
    settings, keyring, desk = parts.settings, parts.keyring, consent.desk(parts)
    contact = ContactDesk(parts.vault, keyring, desk, MailDesk(), settings)
    asking = erasure.asking(parts, RequestDesk(parts.vault, keyring, settings))
    flows = Flows(keyring, desk, contact, asking, Floods(keyring), settings)
    sorter = Sorter(parts.pool, Inbox(keyring), flows, keyring, settings, parts.metrics, clock.system_clock, parts.exit)
    listener = Listener(sorter.keep, settings)
    return Wired([sorter, listener], ready=lambda: listener.listening)
