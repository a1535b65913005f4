"""What people ask for themselves, for every worker of a process that hears them."""

from workers.consent.floods import Floods
from workers.erasure.asking import Asking
from workers.erasure.desk import RequestDesk
from workers.erasure.letters import RequestLetters
from workers.erasure.people import People
from workers.mail.desk import MailDesk
from workers.wiring.parts import Parts


def asking(parts: Parts, desk: RequestDesk) -> Asking:
    """Opens requests at this desk."""
    settings, keyring = parts.settings, parts.keyring
    letters = RequestLetters(MailDesk(), keyring, settings)
    return Asking(desk, People(parts.vault, keyring), letters, Floods(keyring), settings)
