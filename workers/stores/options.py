"""What the files of several kinds of stores have in common below `options`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from schemas.store import What
from workers.stores.connector import Misconfigured

__all__ = ["Options", "Secret", "What", "parse", "secret"]

Secret = Annotated[str, StringConstraints(pattern=r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$")]
"""Where a secret stands, never the secret: `env:NAME` or `file:PATH`."""


class Options(BaseModel):
    """Base of every part of a store's `options`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


_T = TypeVar("_T", bound=BaseModel)


def parse(model: type[_T], options: Mapping[str, object]) -> _T:
    """A store's options as its connector wants them. Raises Misconfigured: key and rule, no value."""
    try:
        return model.model_validate(options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(str(part) for part in ("options", *first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise Misconfigured(f"{key}: {message[:1].lower()}{message[1:]}") from None


def secret(reference: str) -> str:
    """The secret that a reference names. Raises Misconfigured when it is not there."""
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = os.environ.get(place)
        if not value:
            raise Misconfigured(f"the environment variable {place} is not set: it holds a secret of this store")
        return value
    try:
        return Path(place).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"the file {place} cannot be read: it holds a secret of this store") from None
