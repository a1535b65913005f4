"""The worker `newsletter`."""

from workers import clock, newsletter
from workers.consent.caretaker import ConsentCaretaker
from workers.engine import host
from workers.wiring import batches, consent
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """Consent events to the list; expiry and renewal in time."""
    desk = consent.desk(parts)
    wired = batches.wire(
        app, parts, newsletter.NAME, newsletter.TOPIC, lambda: newsletter.NewsletterUnit(desk, clock.system_clock)
    )
    caretaker = ConsentCaretaker(desk, parts.pool, parts.settings, parts.metrics, clock.system_clock, parts.exit)
    return Wired([caretaker, *wired.services], wired.intakes)
