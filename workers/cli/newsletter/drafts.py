"""Before an issue is scheduled: begin it, look at it, send it to oneself."""

import asyncio
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from pathlib import Path
from typing import NamedTuple

from workers import clock, purposes
from workers import settings as settings_module
from workers.domain.email_address import normalise
from workers.errors import LetheError
from workers.issues import issue_file, rendering, sample, skeleton
from workers.issues.issue_file import IssueFile
from workers.mail.composer import Ready
from workers.mail.mime import Content
from workers.mail.smtp import Answer, Connections, Parcel
from workers.settings import Settings

_READER = "reader@example.org"
_CLIPPED_BYTES = 102_400
_ANSWERS = {
    Answer.ACCEPTED: "the mail server took it",
    Answer.LATER: "the mail server does not take it now",
    Answer.REFUSED: "the mail server refused it",
    Answer.UNKNOWN: "the connection was lost before the mail server's answer: it may have arrived",
    Answer.NOT_BEGUN: "it was not offered",
}


class Preview(NamedTuple):
    """One language of an issue as received, in files; `page` is the HTML."""

    language: str
    subject: str
    size_bytes: int
    is_clipped: bool
    page: Path
    others: tuple[Path, ...]


def begin(folder: Path, name: str, purpose: str) -> list[Path]:
    """Files of a new issue. Raises UsageError."""
    purposes.load(settings_module.load().purposes_file).declared(purpose)
    return skeleton.write(folder, name, purpose)


def preview(folder: Path, name: str, out: Path) -> Iterator[Preview]:
    """Compose each language as for one reader, and write what the reader gets. Raises UsageError."""
    settings = settings_module.load()
    issue, contents = rendered(settings, folder, name)
    out.mkdir(parents=True, exist_ok=True)
    for language, content in contents.items():
        raw = sample.message(content, language, issue.purpose, _READER, settings, clock.system_clock()).message
        got = sample.received(raw)
        page, text, mail = (out / f"{name}.{language}.{suffix}" for suffix in ("html", "txt", "eml"))
        page.write_text(got.html, "utf-8")
        text.write_text(got.text, "utf-8")
        mail.write_bytes(raw)
        subject = str(message_from_bytes(raw, policy=policy.default)["subject"])
        yield Preview(language, subject, len(raw), len(got.html.encode()) > _CLIPPED_BYTES, page, (text, mail))


def send_test(folder: Path, name: str, to: Sequence[str]) -> list[str]:
    """Send each language to each of these addresses now; a line for each. Raises Refused where one is no address.

    Raises LetheError when a mail was not taken.
    """
    settings = settings_module.load()
    issue, contents = rendered(settings, folder, name)
    now = clock.system_clock()
    mails = [
        sample.message(
            content._replace(subject=f"[Test] {content.subject}"), language, issue.purpose, address, settings, now
        )
        for address in map(normalise, to)
        for language, content in contents.items()
    ]
    lines, failed = asyncio.run(_offer(settings, mails))
    if failed:
        raise LetheError(
            "\n".join([*lines, "not every mail was taken: see LETHE_SMTP_HOST, LETHE_SMTP_PORT and so on"])
        )
    return lines


def rendered(settings: Settings, folder: Path, name: str) -> tuple[IssueFile, dict[str, Content]]:
    """An issue and its content by language. Raises UsageError."""
    declared = purposes.load(settings.purposes_file)
    issue = issue_file.read(folder, name, declared)
    titles = {variant.language: declared[issue.purpose].title_in(variant.language) for variant in issue.variants}
    return issue, rendering.render(issue, settings.shop_name, titles)


async def _offer(settings: Settings, mails: Sequence[Ready]) -> tuple[list[str], bool]:
    connections = Connections(settings)
    lines, failed = [], False
    for number, one in enumerate(mails, 1):
        answer, code = await connections.send(Parcel(one.sender, one.recipient, one.message))
        lines.append(
            f"mail {number} of {len(mails)} ({one.mail.language}): {_ANSWERS[answer]}{f' ({code})' * bool(code)}"
        )
        failed = failed or answer is not Answer.ACCEPTED
    await connections.close()
    return lines, failed
