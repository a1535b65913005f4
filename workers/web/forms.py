"""What people send: small forms, read within limits of size, number and time."""

import asyncio
import unicodedata
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from workers.domain.email_address import normalise
from workers.errors import Refused

BODY_MAX_BYTES = 64 * 1024
FIELDS_MAX = 50
EMAIL_MAX_CHARACTERS = 320
HONEYPOT = "website"
"""A field that no person sees: whoever fills it in is a machine, and is answered as if all had gone well."""
_READ_TIMEOUT_S = 15.0

Form = Mapping[str, str]


async def read(request: web.Request) -> Form:
    """The fields, the last one of each name; files are left out.

    Raises HTTPBadRequest for what is no form, HTTPUnsupportedMediaType for another type, HTTPRequestTimeout for one
    that takes too long, HTTPRequestEntityTooLarge from BODY_MAX_BYTES on.
    """
    if "Content-Encoding" in request.headers:  # never decompressed: a small body must not become a large one
        raise web.HTTPUnsupportedMediaType
    try:
        async with asyncio.timeout(_READ_TIMEOUT_S):
            if request.content_type == "application/x-www-form-urlencoded":
                return _urlencoded(await request.read())
            if request.content_type == "multipart/form-data":
                return await _multipart(request)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ValueError, LookupError, AssertionError, HttpProcessingError, web.RequestPayloadError):
        raise web.HTTPBadRequest from None
    raise web.HTTPUnsupportedMediaType


def email_of(form: Form) -> str | None:
    """The normalised address in the field `email`; None where it is none."""
    raw = form.get("email", "")
    if len(raw) > EMAIL_MAX_CHARACTERS:
        return None
    try:
        return normalise(raw)
    except Refused:
        return None


def text_of(form: Form, name: str, max_characters: int) -> str:
    """A field as plain text: no control characters but line breaks, in NFC, shortened to its limit."""
    unified = form.get(name, "").replace("\r\n", "\n").replace("\r", "\n")
    plain = "".join(one for one in unified if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cs"))
    return unicodedata.normalize("NFC", plain).strip()[:max_characters]


def is_machine(form: Form) -> bool:
    """Whether the field was filled in that people do not see."""
    return bool(form.get(HONEYPOT))


def _urlencoded(body: bytes) -> Form:
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX)
    return dict(pairs)


async def _multipart(request: web.Request) -> Form:
    fields = await request.post()
    if len(fields) > FIELDS_MAX:
        raise ValueError("too many fields")
    return {name: value for name, value in fields.items() if isinstance(value, str)}
