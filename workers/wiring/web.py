"""The worker `web`: the pages for people."""

from workers import clock
from workers.consent.floods import Floods
from workers.engine import host
from workers.mail.desk import MailDesk
from workers.web.office import Office
from workers.web.rendering import Renderer
from workers.web.site import Site
from workers.wiring import consent
from workers.wiring.parts import Parts, Wired


def wire(app: host.Host, parts: Parts) -> Wired:
    """One web server; it reads no topic."""
    settings = parts.settings
    office = Office(
        settings, parts.pool, parts.keyring, consent.desk(parts), MailDesk(), Floods(parts.keyring),
        Renderer(settings), clock.system_clock, lambda now: "none",
    )  # fmt: skip
    site = Site(office, parts.metrics)
    return Wired([site], ready=lambda: site.listening)
