"""The form of order, customer and shipment references: a plain token, never an e-mail address."""

from __future__ import annotations

import re

from schemas import base

#: The same pattern as the contract's, without its anchors.
PATTERN = base.IDENTIFIER_PATTERN.removeprefix("^").removesuffix("$")
_IDENTIFIER = re.compile(PATTERN)
#: The names that hold such a reference at the top level of an event's data.
NAMES = frozenset({"order_id", "customer_ref", "shipment_id", "withdrawal_id"})


def is_identifier(text: str) -> bool:
    """1 to 64 letters, digits, dots, underscores, colons and dashes, beginning with a letter or digit."""
    return _IDENTIFIER.fullmatch(text) is not None
