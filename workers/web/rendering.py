"""Pages from templates: escaped, in the person's language, with the links that every page has."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from aiohttp import web
from babel.dates import format_date
from markupsafe import Markup

from workers.mail.templates import LANGUAGES, catalogue
from workers.settings import Settings
from workers.web import language
from workers.web.forms import HONEYPOT

PACKAGE = "workers.web"
NAMES = {"en": "English", "fr": "Français"}
_LOCALES = {"en": "en_GB", "fr": "fr_FR"}


class Renderer:
    """Renders the templates of one shop."""

    def __init__(self, settings: Settings) -> None:
        self._shared: Mapping[str, Any] = {
            "shop": settings.shop_name,
            "contact_address": settings.contact_address,
            "style_version": style_version(),
            "honeypot": HONEYPOT,
        }

    def page(self, request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
        """The answer with this page. Raises jinja2.UndefinedError for a value that the template misses."""
        spoken = language.of_request(request)
        plain = language.without(request.path)
        in_path = plain != request.path
        text = environment(spoken).get_template(template).render(
            {
                **self._shared,
                "language": spoken,
                "prefix": f"/{spoken}" if in_path else "",
                "others": [(code, NAMES[code], f"/{code}{plain}") for code in LANGUAGES if code != spoken],
                **values,
            }
        )  # fmt: skip
        response = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
        response.headers["Content-Language"] = spoken
        return response


@cache
def environment(spoken: str) -> jinja2.Environment:
    """The templates in one language."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(PACKAGE, "templates"),
        extensions=["jinja2.ext.i18n"],
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_translations(catalogue(spoken, PACKAGE), newstyle=True)  # type: ignore[attr-defined]  # by the extension
    made.filters["day"] = lambda value: Markup('<time datetime="{}">{}</time>').format(
        value.isoformat()[:10], format_date(value, "long", locale=_LOCALES[spoken])
    )
    return made


@cache
def style() -> bytes:
    """The one style sheet."""
    return (resources.files(PACKAGE) / "static" / "style.css").read_bytes()


@cache
def icon() -> bytes:
    """The icon of a tab."""
    return (resources.files(PACKAGE) / "static" / "icon.svg").read_bytes()


def style_version() -> str:
    """Changes with the style sheet: browsers may keep it for long."""
    return hashlib.sha256(style()).hexdigest()[:12]
