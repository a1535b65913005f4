"""An issue as one person would receive it, with links that name nobody."""

import secrets
from datetime import datetime
from email import message_from_bytes, policy
from typing import NamedTuple

from workers.mail import dkim
from workers.mail.composer import Composer, Ready
from workers.mail.desk import Letter
from workers.mail.ledger import Claimed
from workers.mail.mime import Content
from workers.settings import Settings
from workers.vault.keyring import LOOKUP_PURPOSES, Keyring

_NOBODY = 0
_KEY_BYTES = 32


class Received(NamedTuple):
    """The two forms of a message after its transfer encoding was undone, as a mail program shows them."""

    html: str
    text: str


def message(content: Content, language: str, purpose: str, to: str, settings: Settings, now: datetime) -> Ready:
    """Made and signed as for everybody, but under a keyring of the moment: no link or number in it works."""
    keys = {name: secrets.token_bytes(_KEY_BYTES) for name in LOOKUP_PURPOSES}
    keyring = Keyring({1: secrets.token_bytes(_KEY_BYTES)}, keys)
    signer = dkim.load(settings.dkim_dir, settings.dkim_domain, settings.dkim_selector)
    mail = Claimed(_NOBODY, _NOBODY, _NOBODY, _NOBODY, "issue", language, "marketing", purpose, None, 1, "")
    return Composer(settings, keyring, signer, lambda issue_id, wanted: content).compose(mail, Letter(to, {}), now)


def received(raw: bytes) -> Received:
    """What a mail program makes of a message."""
    parsed = message_from_bytes(raw, policy=policy.default)
    forms = [parsed.get_body((kind,)) for kind in ("html", "plain")]
    assert all(form is not None for form in forms)
    html, text = (str(form.get_content()) for form in forms if form is not None)
    return Received(html, text)
