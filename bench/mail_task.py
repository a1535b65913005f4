"""What a contender that sends mails is told to do, on its standard input, and the content that all of them send."""

import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from workers.mail.composer import UNSUBSCRIBE_URL
from workers.mail.mime import Content

PURPOSE = "newsletter"
_PARAGRAPH = "New resins, a jig for small parts, and what became of last week's question about warping. " * 4
CONTENT = Content(
    "What came out of the printers this week",
    "\n\n".join([_PARAGRAPH] * 5) + f"\n\nUnsubscribe: {UNSUBSCRIBE_URL}\n",
    '<!DOCTYPE html><html lang="en"><head><title>News</title></head><body>'
    + f"<p>{_PARAGRAPH}</p>\n" * 5
    + f'<p><a href="{UNSUBSCRIBE_URL}">Unsubscribe</a></p></body></html>\n',
)
"""About 5 KB once it is a multipart message with its headers."""


class MailTask(BaseModel):
    """One run of one contender: everybody in the database gets one mail."""

    model_config = ConfigDict(frozen=True)

    dsn: str
    kafka_bootstrap: str
    keyring_dir: Path
    dkim_dir: Path
    purposes_file: Path
    carriers_dir: Path
    smtp_port: int
    connections: int = 10


def read() -> MailTask:
    """The task of this process."""
    return MailTask.model_validate_json(sys.stdin.read())


def email(number: int) -> str:
    """The address of one recipient."""
    return f"reader{number}@example.org"
