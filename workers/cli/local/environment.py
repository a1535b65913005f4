"""Settings as environment variables: for worker processes, and for other commands while `lethe up` runs."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from workers.settings import Settings


def variables(settings: Settings) -> dict[str, str]:
    """Every setting that was chosen, secrets included; paths made absolute."""
    chosen = {name: getattr(settings, name) for name in sorted(settings.model_fields_set)}
    return {f"LETHE_{name.upper()}": _text(value) for name, value in chosen.items() if value is not None}


def for_child(settings: Settings, root: Path) -> dict[str, str]:
    """The whole environment of a worker process whose code lies in `root`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LETHE_")}
    paths = [str(root), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, **variables(settings), "PYTHONPATH": os.pathsep.join(paths)}


def write(path: Path, chosen: Mapping[str, str]) -> None:
    """A file for `. path` in a shell, readable by its owner alone: it holds the database's password."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in chosen.items()))


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.absolute()) if isinstance(value, Path) else str(value)
