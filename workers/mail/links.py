"""Tokens in mails that need no row: they name one thing, and only this keyring can make them.

    unsubscribe   one contact and one purpose; in the one-click link, and shorter in the mailto alternative
    bounce        one mail; in the envelope sender (VERP), so that a bounce says which mail it is about
    Message-ID    one mail; survives where a mail server writes the envelope sender in lower case

A token is base64url of kind, number, purpose and a keyed hash (128 bits) over them. It opens nothing else: whoever
gets a forwarded mail can end that one subscription and see nothing.
"""

import base64
import binascii
import hashlib
import hmac
import re
import struct
from typing import NamedTuple

from workers.vault.keyring import Keyring

_LOOKUP = "mail-link"
_NUMBER = struct.Struct(">cQ")
_MAC_SIZE_BYTES = 16
_MARK_DIGITS = 16
_MESSAGE_ID = re.compile(r"([1-9][0-9]{0,17})\.([0-9a-f]{16})", re.IGNORECASE | re.ASCII)
_UNSUBSCRIBE = b"u"
_UNSUBSCRIBE_TAG = b"m"
_BOUNCE = b"b"
_DIGEST_SIZE_BYTES = 4
_LOCAL_PART_MAX_OCTETS = 64
UNSUBSCRIBE_ROOM = _LOCAL_PART_MAX_OCTETS - 40
"""Octets before the @ of an address that an unsubscribe tag of 39 and a + are put behind (RFC 5321, 4.5.3.1.1)."""
BOUNCE_ROOM = _LOCAL_PART_MAX_OCTETS - 35
"""The same for a bounce token of 34."""


class Subscription(NamedTuple):
    """What an unsubscribe token names."""

    contact_id: int
    purpose: str


class Tagged(NamedTuple):
    """What an unsubscribe tag names: a contact, and a purpose by its digest, as a mail address is short."""

    contact_id: int
    digest: bytes

    def is_about(self, purpose: str) -> bool:
        """Whether it is this purpose."""
        return self.digest == _digest(purpose)


def unsubscribe_token(keyring: Keyring, contact_id: int, purpose: str) -> str:
    """The token of one subscription; the same each time."""
    return _token(keyring, _UNSUBSCRIBE, contact_id, purpose.encode("ascii"))


def read_unsubscribe_token(keyring: Keyring, token: str) -> Subscription | None:
    """What the token names; None for anything that this keyring did not make."""
    read = _read(keyring, _UNSUBSCRIBE, token)
    return Subscription(read[0], read[1].decode()) if read is not None and read[1].isascii() else None


def unsubscribe_tag(keyring: Keyring, contact_id: int, purpose: str) -> str:
    """The tag of one subscription for a mail address; as long for every purpose."""
    return _token(keyring, _UNSUBSCRIBE_TAG, contact_id, _digest(purpose))


def read_unsubscribe_tag(keyring: Keyring, tag: str) -> Tagged | None:
    """What the tag names; None for anything that this keyring did not make."""
    read = _read(keyring, _UNSUBSCRIBE_TAG, tag)
    return None if read is None else Tagged(*read)


def bounce_token(keyring: Keyring, mail_id: int) -> str:
    """The token of one mail, for its envelope sender."""
    return _token(keyring, _BOUNCE, mail_id, b"")


def read_bounce_token(keyring: Keyring, token: str) -> int | None:
    """The mail's number; None for anything that this keyring did not make."""
    read = _read(keyring, _BOUNCE, token)
    return None if read is None else read[0]


def message_id(keyring: Keyring, mail_id: int, domain: str) -> str:
    """The Message-ID of one mail, without angle brackets; the same each time."""
    return f"{mail_id}.{_mark(keyring, mail_id)}@{domain}"


def read_message_id(keyring: Keyring, message_id: str, domain: str) -> int | None:
    """The mail's number; None for a Message-ID that this keyring did not make."""
    found = _MESSAGE_ID.fullmatch(message_id.partition("@")[0])
    if found is None or message_id.partition("@")[2].lower() != domain.lower():
        return None
    mail_id = int(found[1])
    return mail_id if hmac.compare_digest(found[2].lower(), _mark(keyring, mail_id)) else None


def tagged(address: str, token: str) -> str:
    """`local+token@domain`: how a mail address carries a token (RFC 5233 subaddress)."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}"


def tag_of(address: str) -> str | None:
    """The token in a tagged address; None where there is none."""
    local = address.rpartition("@")[0]
    _, plus, tag = local.partition("+")
    return tag if plus and tag else None


def _digest(purpose: str) -> bytes:
    return hashlib.blake2b(purpose.encode("ascii"), digest_size=_DIGEST_SIZE_BYTES).digest()


def _mark(keyring: Keyring, mail_id: int) -> str:
    return keyring.lookup_hash(_LOOKUP, b"message-id %d" % mail_id).hex()[:_MARK_DIGITS]


def _token(keyring: Keyring, kind: bytes, number: int, rest: bytes) -> str:
    named = _NUMBER.pack(kind, number) + rest
    return base64.urlsafe_b64encode(named + keyring.lookup_hash(_LOOKUP, named)).rstrip(b"=").decode()


def _read(keyring: Keyring, kind: bytes, token: str) -> tuple[int, bytes] | None:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    named, mac = raw[:-_MAC_SIZE_BYTES], raw[-_MAC_SIZE_BYTES:]
    if len(named) < _NUMBER.size or not hmac.compare_digest(mac, keyring.lookup_hash(_LOOKUP, named)):
        return None
    found, number = _NUMBER.unpack_from(named)
    return (number, named[_NUMBER.size :]) if found == kind else None
