"""Which language a page is written in: the path says it, else what the browser prefers, else English."""

import re

from aiohttp import web

from workers.mail.templates import LANGUAGES

_RANGE = re.compile(r"^\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]{1,32})?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*$")
_MAX_RANGES = 32


def of_request(request: web.Request) -> str:
    """`/fr/…` is French whatever the browser says; a path without a language is negotiated."""
    named = request.path.split("/", 2)[1]
    return named if named in LANGUAGES else negotiate(request.headers.get("Accept-Language", ""))


def negotiate(accepted: str) -> str:
    """The language that an Accept-Language header likes best of ours (RFC 9110, 12.5.4); the first where none is."""
    best, best_quality = LANGUAGES[0], 0.0
    for part in accepted.split(",")[:_MAX_RANGES]:
        match = _RANGE.match(part)
        if match is None:
            continue
        quality = float(match[2] or 1)
        if match[1].lower() in LANGUAGES and quality > best_quality:
            best, best_quality = match[1].lower(), quality
    return best


def without(path: str) -> str:
    """The path that serves the same page in any language."""
    _, named, *rest = path.split("/", 2)
    return f"/{rest[0] if rest else ''}" if named in LANGUAGES else path
