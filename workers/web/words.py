"""Words that are kept as evidence: exactly what a person was shown when they agreed."""

from workers.mail.templates import catalogue
from workers.web.rendering import PACKAGE

CONSENT = (
    "%(shop)s writes to you only about what you choose here, and keeps your address for it until you say no. "
    "You can say no at any time, in every mail and on our page."
)


def consent(language: str, shop: str) -> str:
    """The sentence at the button, in this language."""
    return catalogue(language, PACKAGE).gettext(CONSENT) % {"shop": shop}
