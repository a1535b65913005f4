"""What Lethe says to people: one file per occasion, in the person's language, as text and as HTML.

A template is Jinja2 with two or three blocks: `subject`, `body` (paragraphs with an empty line between them) and, where
there is something to do, `action` (the words on the button; its address is the value `url`). Both forms are made from
the same words; values are escaped in HTML and lose their line breaks everywhere, so no name can add a line, a header
or a tag.
"""

import datetime
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import jinja2
from babel.dates import format_date
from babel.lists import format_list
from babel.messages import mofile, pofile
from babel.support import Translations
from jinja2.sandbox import SandboxedEnvironment

from workers.mail.mime import Content

LANGUAGES = ("en", "fr")
_PACKAGE = "workers.mail"
_LOCALES = {"en": "en_GB", "fr": "fr_FR"}
_COLONS = {"fr": "\N{NO-BREAK SPACE}:"}
_OF_PARAGRAPHS = frozenset(("question", "certificate_summary"))


def names() -> list[str]:
    """Every template."""
    folder = resources.files(_PACKAGE) / "templates"
    return sorted(file.name.removesuffix(".j2") for file in folder.iterdir() if file.name.endswith(".j2"))


def supported(language: str) -> str:
    """The language that a mail is written in for somebody who prefers `language` (`fr-CA` is `fr`)."""
    spoken = language.lower().replace("_", "-").partition("-")[0]
    return spoken if spoken in LANGUAGES else LANGUAGES[0]


def render(name: str, language: str, values: Mapping[str, str]) -> Content:
    """The content of one mail. Raises KeyError for an unknown template, jinja2.UndefinedError for a missing value."""
    if name not in names():
        raise KeyError(name)
    language = supported(language)
    template = _environment(language).get_template(f"{name}.j2")
    context = template.new_context({key: _plain(key, value) for key, value in values.items()})
    parts = {block: _text(template, block, context) for block in ("subject", "body", "action")}
    return page(parts["subject"], parts["body"], parts["action"], values.get("url", ""), language)


def page(subject: str, body: str, action: str, url: str, language: str) -> Content:
    """Words in the layout that all mails of Lethe have."""
    subject = " ".join(subject.split())
    paragraphs = [" ".join(paragraph.split()) for paragraph in body.split("\n\n") if paragraph.strip()]
    invitation = [f"{action}{_COLONS.get(language, ':')}"] if action else []
    text = "\n\n".join(_wrapped(paragraph) for paragraph in [*paragraphs, *invitation])
    text += f"\n\n{url}\n" if action else "\n"
    html = layout("layout.html", language).render(
        subject=subject, paragraphs=paragraphs, action=action, url=url, language=language
    )
    return Content(subject, text, html)


def layout(name: str, language: str) -> jinja2.Template:
    """An HTML page, escaping what is put into it."""
    return _environment(supported(language), escaped=True).get_template(name)


def listed(words: Sequence[str], language: str) -> str:
    """Several words as one: `a, b and c`."""
    return format_list(words, locale=_LOCALES[supported(language)])


def day(date: datetime.date, language: str) -> str:
    """A date as people write it."""
    return format_date(date, "long", locale=_LOCALES[supported(language)])


def _plain(key: str, value: str) -> str:
    """A value without line breaks; what a person wrote at length keeps its paragraphs."""
    paragraphs = value.split("\n\n") if key in _OF_PARAGRAPHS else [value]
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _text(template: jinja2.Template, block: str, context: jinja2.runtime.Context) -> str:
    made = template.blocks.get(block)
    return "".join(made(context)).strip() if made is not None else ""


def _wrapped(paragraph: str, width: int = 76) -> str:
    lines, line = [], ""
    for word in paragraph.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


@cache
def _environment(language: str, escaped: bool = False) -> SandboxedEnvironment:
    made = SandboxedEnvironment(
        loader=jinja2.PackageLoader(_PACKAGE, "templates"),
        extensions=["jinja2.ext.i18n"],
        undefined=jinja2.StrictUndefined,
        autoescape=escaped,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_translations(catalogue(language), newstyle=True)  # type: ignore[attr-defined]  # by the extension
    return made


@cache
def catalogue(language: str, package: str = _PACKAGE) -> Translations:
    """The words of a language, from `locale/<language>.po`; English is what the templates say themselves."""
    file = resources.files(package) / "locale" / f"{language}.po"
    if not file.is_file():
        return Translations()
    binary = io.BytesIO()
    mofile.write_mo(binary, pofile.read_po(io.BytesIO(file.read_bytes())))
    binary.seek(0)
    return Translations(binary)
