"""What a contender is told to do, on its standard input."""

import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict

OUTPUT_PARTITIONS = 2


class Task(BaseModel):
    """One run of one contender.

    `outputs` gives each carrier's topic. `started_file` receives the time of the first records (see `clock`).
    """

    model_config = ConfigDict(frozen=True)

    bootstrap: str
    dsn: str
    keyring_dir: Path
    carriers_dir: Path
    prefix: str
    source: str
    source_partitions: int
    group: str
    outputs: dict[str, str]
    batch_records: int
    started_file: Path
    data_dir: Path


def read() -> Task:
    """The task of this process."""
    return Task.model_validate_json(sys.stdin.read())
