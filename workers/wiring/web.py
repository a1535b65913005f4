"""The worker `web`: the pages for people."""

from workers import clock, policies
from workers.consent.floods import Floods
from workers.contact import ContactDesk
from workers.engine import host
from workers.erasure import account_tokens
from workers.erasure.desk import RequestDesk
from workers.mail.desk import MailDesk
from workers.stores import directory
from workers.stores.jobs import Jobs
from workers.web.office import Office
from workers.web.rendering import Renderer
from workers.web.site import Site
from workers.wiring import consent, erasure
from workers.wiring import stores as wiring
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """One web server; it reads no topic. Raises UsageError when a policy, the purposes file or the account page's key
    is wrong."""
    settings, keyring, mail = parts.settings, parts.keyring, MailDesk()
    desk = consent.desk(parts)
    requests = RequestDesk(parts.vault, keyring, settings)
    stores = directory.load(settings.stores_dir, settings.keyring_dir)
    declared = policies.load(settings.policies_dir, settings.time_zone)
    office = Office(
        settings, parts.pool, keyring, desk, mail, Floods(keyring), Renderer(settings), clock.system_clock,
        ContactDesk(parts.vault, keyring, desk, mail, settings), declared,
        wiring.person_desk(parts, stores, Jobs(keyring, settings, "web")), requests, erasure.asking(parts, requests),
        account_tokens.load(settings.account_key_file, settings.public_url),
    )  # fmt: skip
    site = Site(office, parts.metrics)
    return Wired([site], ready=lambda: site.listening)
