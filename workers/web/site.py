"""The pages for people: a web server of its own, apart from the worker's `/health` and `/metrics`."""

import logging
from collections.abc import Awaitable, Callable

import mode
from aiohttp import web

from workers.metrics import Metrics
from workers.web import forms, guard, rendering
from workers.web.ask_for_link import AskForLink
from workers.web.confirm import Confirm
from workers.web.contact import Contact
from workers.web.erasure import Erasure
from workers.web.office import Office
from workers.web.policy import PolicyPages
from workers.web.preferences import Preferences
from workers.web.store_task import StoreTaskPage
from workers.web.subscribe import Subscribe
from workers.web.unsubscribe import Unsubscribe

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_KEEP_ALIVE_S = 75.0
_SHUTDOWN_S = 10.0
_LINES_MAX_BYTES = 8190
_HEADERS_MAX = 64
_STATIC = "public, max-age=31536000, immutable"
_UNLISTED = ("confirm", "erasure", "preferences", "stores", "u")
_ROBOTS = "User-agent: *\n" + "".join(f"Disallow: /{one}/\n" for one in _UNLISTED)


class Site(mode.Service):
    """Listens on `public_host`:`public_port`; `listening` once people are answered."""

    def __init__(self, office: Office, metrics: Metrics) -> None:
        super().__init__()
        self.listening = False
        self._settings = office.settings
        # Neither access log nor aiohttp's own words about broken requests: both name the sender's address.
        silent = logging.getLogger(f"{__name__}.aiohttp")
        silent.disabled = True
        self._runner = web.AppRunner(
            application(office, metrics), access_log=None, logger=silent, handle_signals=False, auto_decompress=False,
            keepalive_timeout=_KEEP_ALIVE_S, max_line_size=_LINES_MAX_BYTES, max_field_size=_LINES_MAX_BYTES,
            max_headers=_HEADERS_MAX, shutdown_timeout=_SHUTDOWN_S,
        )  # fmt: skip

    async def on_start(self) -> None:
        """Answer. Raises OSError when the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._settings.public_host, self._settings.public_port).start()
        self.listening = True

    async def on_stop(self) -> None:
        """Finish what is being answered, and answer no more."""
        self.listening = False
        await self._runner.cleanup()


def application(office: Office, metrics: Metrics) -> web.Application:
    """Every page, with its guard."""
    over_https = office.settings.public_url.startswith("https:")
    app = web.Application(
        middlewares=[guard.middleware(office.renderer, metrics, over_https)], client_max_size=forms.BODY_MAX_BYTES
    )
    subscribe, confirm = Subscribe(office), Confirm(office)
    unsubscribe, ask, preferences = Unsubscribe(office), AskForLink(office), Preferences(office)
    app.add_routes([web.get("/{language:en|fr}", _home(office), name="home.language")])
    _add(app, "/", "home", _home(office))
    _add(app, "/subscribe", "subscribe", subscribe.show, subscribe.take)
    _add(app, "/confirm/{token}", "confirm", confirm.show, confirm.act)
    _add(app, "/u/{token}", "one_click", unsubscribe.show, unsubscribe.act)
    _add(app, "/unsubscribe", "unsubscribe", ask.show, ask.take)
    _add(app, "/preferences/{token}", "preferences", preferences.show, preferences.act)
    erasure = Erasure(office)
    _add(app, "/erasure", "erasure", erasure.show, erasure.take)
    _add(app, "/erasure/{token}", "erasure_link", erasure.show_link, erasure.act)
    stores = StoreTaskPage(office)
    _add(app, "/stores/{token}", "store_task", stores.show, stores.act)
    contact, policy = Contact(office), PolicyPages(office)
    _add(app, "/contact", "contact", contact.show, contact.take)
    _add(app, "/policy", "policy", policy.in_force)
    _add(app, "/policy/diff", "policy_difference", policy.difference)
    _add(app, "/policy/{version}", "policy_version", policy.version)
    _add(app, "/policy/{version}/diff", "policy_version_difference", policy.difference)
    app.add_routes(
        [
            web.get("/style.css", _file(rendering.style(), "text/css", _STATIC), name="style"),
            web.get("/icon.svg", _file(rendering.icon(), "image/svg+xml", "public, max-age=86400"), name="icon"),
            web.get("/robots.txt", _file(_ROBOTS.encode(), "text/plain", "public, max-age=86400"), name="robots"),
        ]
    )
    return app


def _add(app: web.Application, path: str, name: str, show: Handler, take: Handler | None = None) -> None:
    """One page, with and without a language before its path. A HEAD is answered as a GET without its body."""
    for form, prefix in (("plain", ""), ("spoken", "/{language:en|fr}")):
        app.router.add_get(f"{prefix}{path}", show, name=f"{name}.{form}")
        if take is not None:
            app.router.add_post(f"{prefix}{path}", take, name=f"{name}.{form}.post")


def _home(office: Office) -> Handler:
    async def home(request: web.Request) -> web.StreamResponse:
        return office.renderer.page(request, "home.html")

    return home


def _file(content: bytes, content_type: str, caching: str) -> Handler:
    async def file(request: web.Request) -> web.StreamResponse:
        headers = {"Cache-Control": caching}
        return web.Response(body=content, content_type=content_type, charset="utf-8", headers=headers)

    return file
