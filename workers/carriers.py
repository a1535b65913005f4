"""Reads the carrier files: one YAML file per carrier, named after it."""

from collections.abc import Mapping
from pathlib import Path

from workers import countries, errors, yaml_file
from workers.domain.carrier_config import CarrierConfig
from workers.domain.carriers import Carrier


def load(directory: Path) -> Mapping[str, Carrier]:
    """Every carrier in `directory` (`*.yaml`) by its name.

    Raises `errors.UsageError` with one line that names the file, the key and what to do.
    """
    paths = sorted(directory.glob("*.yaml"))
    if not paths:
        raise errors.UsageError(f"no carrier files (*.yaml) in {directory}: set the carriers' directory")
    rules = countries.load()
    return {config.name: Carrier(config, rules) for config in map(_read, paths)}


def _read(path: Path) -> CarrierConfig:
    config = yaml_file.read(path, CarrierConfig.model_validate)
    if path.stem != config.name:
        raise errors.UsageError(f"{path}: name is {config.name!r}: rename the file to {config.name}.yaml or correct it")
    return config
