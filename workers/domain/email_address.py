"""One spelling per e-mail address, so that one person is not two contacts."""

import unicodedata

from email_validator import EmailNotValidError, validate_email

from workers.errors import RefusalCode, Refused

_REASON = "is not an address that mail can be sent to: one mailbox name, one @, a public domain name (RFC 5321)"


def normalise(raw: str) -> str:
    """The one spelling under which an address is kept, hashed and written to.

    Lower case throughout: a mailbox name is case-sensitive by RFC 5321, 2.4, but no provider of note treats it so,
    and people type it either way. The domain in ASCII (RFC 5891), the mailbox name in NFC (RFC 6532).
    No look-up is made. Raises Refused; neither its text nor its cause holds the address.
    """
    try:
        # Twice: lower case may be a different sequence of characters, which must be valid and stable as well.
        return _spelled(_spelled(raw.strip()))
    except EmailNotValidError:
        pass
    raise Refused(RefusalCode.EMAIL_INVALID, _REASON, "email")


def folded(raw: str) -> str:
    """A cheap fold of an address as somebody typed it, for look-ups alone: lower case, NFC. Never written to."""
    lower = raw.strip().lower()
    return lower if lower.isascii() else unicodedata.normalize("NFC", lower)


def spellings(normalised: str) -> frozenset[str]:
    """How `folded` may have spelled this normalised address: its domain in ASCII or in its own script."""
    local, _, domain = normalised.rpartition("@")
    try:
        shown = domain.encode("ascii").decode("idna")
    except UnicodeError:
        shown = domain
    return frozenset((normalised, folded(f"{local}@{shown}")))


def _spelled(address: str) -> str:
    checked = validate_email(address, check_deliverability=False, strict=True)
    local = unicodedata.normalize("NFC", checked.local_part.lower())
    return f"{local}@{checked.ascii_domain.lower()}"
