"""What pages behind a link in a mail have in common."""

from typing import Literal

from aiohttp import web

from workers.consent.tokens import TokenState
from workers.web import forms
from workers.web.office import Office

Ended = Literal["unknown", "used", "expired"]


def ended(office: Office, request: web.Request, state: TokenState | None, again: str) -> web.Response:
    """The page of a link that does not work (404), or no longer (410). `again`: the page that gives a new one."""
    word: Ended = "unknown" if state is None else "used" if state.used_at is not None else "expired"
    return ended_as(office, request, word, again)


def ended_as(office: Office, request: web.Request, word: Ended, again: str) -> web.Response:
    """The same, where it is known already why."""
    status = 404 if word == "unknown" else 410
    return office.renderer.page(request, "link_ended.html", status=status, state=word, again=again)


async def drain(request: web.Request) -> forms.Form:
    """What was sent with the button: nothing that matters here, so whatever cannot be read is no reason to refuse.

    Raises HTTPRequestEntityTooLarge and HTTPRequestTimeout all the same.
    """
    try:
        return await forms.read(request)
    except (web.HTTPBadRequest, web.HTTPUnsupportedMediaType):
        return {}
