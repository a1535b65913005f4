"""The worker `announcements`."""

from workers import announcements, clock
from workers.announcer import Announcer
from workers.engine import host
from workers.mail.desk import MailDesk
from workers.wiring import batches, consent
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """Published versions of the policy, and the mails that announce them."""
    wired = batches.wire(app, parts, announcements.NAME, announcements.TOPIC, announcements.AnnouncementsUnit)
    announcer = Announcer(
        parts.pool, parts.vault, parts.keyring, consent.desk(parts), MailDesk(), parts.settings, clock.system_clock,
        parts.exit,
    )  # fmt: skip
    return Wired([announcer, *wired.services], wired.intakes)
