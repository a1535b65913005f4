"""Issue files: `<name>.<language>.md`, Markdown behind a front matter of YAML.

---
subject: What came out of the printers this week
preheader: New resin, and a jig for small parts
purpose: newsletter
---
# Hello
"""

import re
from pathlib import Path
from typing import Annotated, NamedTuple

import pydantic
import yaml

from schemas.base import PurposeName
from workers.domain.purposes import Purposes
from workers.errors import UsageError
from workers.mail.templates import LANGUAGES

_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n(.*)\Z", re.DOTALL)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_Line = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=200, pattern=r"^[^\r\n]+$")]


class Front(pydantic.BaseModel):
    """The front matter. `preheader` is what a mail program shows behind the subject."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")

    subject: _Line
    preheader: _Line = " "
    purpose: PurposeName = "newsletter"


class Variant(NamedTuple):
    """An issue in one language."""

    language: str
    front: Front
    body: str


class IssueFile(NamedTuple):
    """An issue in all its languages."""

    name: str
    purpose: str
    variants: tuple[Variant, ...]


def path(folder: Path, name: str, language: str) -> Path:
    """Where an issue stands in one language. Raises UsageError for a name that none can have."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"the name {name!r}: give lower-case letters, digits and dashes, such as 2026-48")
    return folder / f"{name}.{language}.md"


def read(folder: Path, name: str, purposes: Purposes) -> IssueFile:
    """Raises UsageError with the file and what to do."""
    files = {language: path(folder, name, language) for language in LANGUAGES}
    variants = [_variant(file, language) for language, file in files.items() if file.exists()]
    if not variants:
        raise UsageError(f"{folder / name}.en.md does not exist: write it, or start with `lethe newsletter new {name}`")
    named = {variant.front.purpose for variant in variants}
    if len(named) > 1:
        raise UsageError(f"the languages of {name} name different purposes: {', '.join(sorted(named))}")
    purpose = named.pop()
    if purpose not in purposes:
        raise UsageError(f"{name}: the purpose {purpose!r} is not declared; there are: {', '.join(purposes)}")
    return IssueFile(name, purpose, tuple(variants))


def _variant(file: Path, language: str) -> Variant:
    try:
        parts = _FRONT.match(file.read_text("utf-8"))
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8: save it as UTF-8") from None
    if parts is None:
        raise UsageError(f"{file} does not begin with a front matter between two lines of three dashes")
    try:
        front = Front.model_validate(yaml.safe_load(parts[1]) or {})
    except yaml.YAMLError:
        raise UsageError(f"{file}: the front matter is not YAML") from None
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise UsageError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if not parts[2].strip():
        raise UsageError(f"{file} has no text behind its front matter")
    return Variant(language, front, parts[2])
