"""The consent desk, for every worker of a process that needs it."""

from workers import purposes
from workers.consent.desk import ConsentDesk
from workers.mail.desk import MailDesk
from workers.wiring.parts import Parts


def desk(parts: Parts) -> ConsentDesk:
    """Raises UsageError when the purposes file is wrong."""
    declared = purposes.load(parts.settings.purposes_file)
    return ConsentDesk(parts.vault, parts.keyring, declared, MailDesk(), parts.settings)
