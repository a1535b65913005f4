"""The policy's versions: Markdown files `<version>.<language>.md` with what they are on top.

---
version: "2026-01"
effective: 2026-01-15
material: true
summary: What changed, in a sentence.
---
# Privacy policy
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import pydantic
import yaml
from markdown_it import MarkdownIt

from workers.domain import policy_text
from workers.domain.policy_text import Change
from workers.errors import UsageError

_FILE = re.compile(r"^(?P<version>[0-9A-Za-z][0-9A-Za-z.-]{0,31})\.(?P<language>[a-z]{2})\.md$")
_FRONT = re.compile(r"\A---\n(?P<front>.*?\n)---\n(?P<text>.*)\Z", re.DOTALL)
_DEEPEST_HEADING = 6
NO_VERSION = "none"
"""What consent is recorded against while no version is in force."""


class Policy(pydantic.BaseModel):
    """One version in one language. `effective`: from this day on, in the controller's time zone."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    version: Annotated[str, pydantic.StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$")]
    language: str
    effective: date
    material: bool
    summary: Annotated[str, pydantic.StringConstraints(min_length=1, max_length=500)]
    text: str

    def html(self) -> str:
        """The text as HTML, its headings one level down; HTML in the Markdown is shown, not obeyed."""
        markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
        tokens = markdown.parse(self.text)
        for token in tokens:
            if token.type in ("heading_open", "heading_close"):
                token.tag = f"h{min(int(token.tag[1]) + 1, _DEEPEST_HEADING)}"
        rendered: str = markdown.renderer.render(tokens, markdown.options, {})
        return rendered


class Policies:
    """Every version, the oldest first."""

    def __init__(self, versions: Sequence[Mapping[str, Policy]], time_zone: str) -> None:
        self._versions = sorted(versions, key=lambda one: _any(one).effective)
        self._zone = ZoneInfo(time_zone)

    def versions(self, language: str) -> list[Policy]:
        """Each version in this language, or in one that it is written in; the newest first."""
        return [one.get(language) or _any(one) for one in reversed(self._versions)]

    def find(self, version: str, language: str) -> Policy | None:
        """One version; None where there is none of this name."""
        return next((one for one in self.versions(language) if one.version == version), None)

    def effective(self, now: datetime, language: str) -> Policy | None:
        """The version in force; None before the first one."""
        today = now.astimezone(self._zone).date()
        return next((one for one in self.versions(language) if one.effective <= today), None)

    def coming(self, now: datetime, language: str) -> list[Policy]:
        """Versions that are published and not in force yet, the next one first."""
        today = now.astimezone(self._zone).date()
        return [one for one in reversed(self.versions(language)) if one.effective > today]

    def version_at(self, now: datetime) -> str:
        """What consent given now is recorded against."""
        found = self.effective(now, "en")
        return NO_VERSION if found is None else found.version

    def before(self, policy: Policy) -> Policy | None:
        """The version before this one, in the same language where it is written in it."""
        older = [one for one in self.versions(policy.language) if one.effective < policy.effective]
        return older[0] if older else None

    def changes(self, policy: Policy) -> list[Change]:
        """What differs from the version before; empty for the first one."""
        earlier = self.before(policy)
        return [] if earlier is None else policy_text.changes(earlier.text, policy.text)


def load(folder: Path, time_zone: str) -> Policies:
    """Every version in the folder; none where there is no folder. Raises UsageError that names the file."""
    by_version: dict[str, dict[str, Policy]] = {}
    for file in sorted(folder.glob("*.md")):
        policy = _read(file)
        by_version.setdefault(policy.version, {})[policy.language] = policy
    days: dict[date, str] = {}
    for version, languages in by_version.items():
        if len({(one.effective, one.material) for one in languages.values()}) > 1:
            raise UsageError(f"{folder}: {version} must have the same effective and material in every language")
        if days.setdefault(_any(languages).effective, version) != version:
            raise UsageError(f"{folder}: two versions take effect on {_any(languages).effective}; change one of them")
    return Policies(list(by_version.values()), time_zone)


def _read(file: Path) -> Policy:
    named = _FILE.match(file.name)
    if named is None:
        raise UsageError(f"{file}: name it <version>.<language>.md, such as 2026-01.en.md")
    try:
        parts = _FRONT.match(file.read_text("utf-8"))
        if parts is None:
            raise UsageError(f"{file}: begin with ---, the keys version, effective, material and summary, and ---")
        keys = yaml.safe_load(parts["front"])
        policy = Policy.model_validate({**keys, "language": named["language"], "text": parts["text"].strip()})
    except pydantic.ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, ValueError, TypeError, yaml.YAMLError) as problem:
        raise UsageError(f"{file}: cannot be read: {type(problem).__name__}") from None
    if policy.version != named["version"]:
        raise UsageError(f"{file}: its version says {policy.version}; name and version must be the same")
    return policy


def _any(languages: Mapping[str, Policy]) -> Policy:
    return languages.get("en") or next(iter(languages.values()))
