"""Reads the purposes file: what a person may consent to."""

from pathlib import Path

import pydantic

from schemas.base import PurposeName
from workers import yaml_file
from workers.domain.purposes import Purpose, Purposes

_File = pydantic.TypeAdapter(dict[PurposeName, Purpose], config=pydantic.ConfigDict(hide_input_in_errors=True))


def load(path: Path) -> Purposes:
    """Every declared purpose. Raises `errors.UsageError` with one line that names the file, the key and what to do."""
    return Purposes(yaml_file.read(path, _File.validate_python))
