"""What holds for every answer: security headers, error pages, a count; and nothing about the person in a log."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from workers.engine import database
from workers.log import logger
from workers.metrics import Metrics
from workers.web.rendering import Renderer

_LOG = logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    "Referrer-Policy": "no-referrer",  # a link in a mail holds a token
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Server": "Lethe",
}
_TRANSPORT = "max-age=63072000"
_BEHIND_LINKS = ("confirm", "preferences", "one_click", "erasure_link", "store_task")


def middleware(renderer: Renderer, metrics: Metrics, over_https: bool) -> Callable[..., Awaitable[web.StreamResponse]]:
    """The one middleware of the pages."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        page = _page(request)
        response = await _answer(request, handler, renderer)
        _dress(response, page, over_https)
        metrics.page_answers.labels(page, str(response.status)).inc()
        return response

    return guard


async def _answer(request: web.Request, handler: Handler, renderer: Renderer) -> web.StreamResponse:
    """The page, or an error page. Only class names of errors are logged: a path may hold a token."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _error_page(request, renderer, error.status, dict(error.headers))
    except database.RETRIED_ERRORS as error:
        _LOG.warning("page_without_database", page=_page(request), error=type(error).__name__)
        return _error_page(request, renderer, 503, {"Retry-After": "60"})
    except Exception as error:
        _LOG.error("page_failed", page=_page(request), exc_info=error)
        return _error_page(request, renderer, 500, {})


def _error_page(request: web.Request, renderer: Renderer, status: int, headers: dict[str, str]) -> web.Response:
    kept = {name: value for name, value in headers.items() if name in ("Allow", "Retry-After", "Location")}
    response = renderer.page(request, "error.html", status=status, code=status)
    response.headers.update(kept)
    if status in (408, 413):
        response.force_close()
    return response


def _dress(response: web.StreamResponse, page: str, over_https: bool) -> None:
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.add("Vary", "Accept-Language")
    if over_https:
        response.headers["Strict-Transport-Security"] = _TRANSPORT
    if page in _BEHIND_LINKS:
        response.headers["X-Robots-Tag"] = "noindex, nofollow"


def _page(request: web.Request) -> str:
    """The name of the page, never its path."""
    name = request.match_info.route.name or ""
    return name.partition(".")[0] or "none"
