"""Backups of a test's database, as an operator takes and restores them."""

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local import postgres
from tests.support.endpoints import Endpoints


def take(dsn: str, file: Path) -> None:
    """`pg_dump` of the whole database."""
    _run("pg_dump", "--format=custom", f"--file={file}", dsn)


def restore(stack: Endpoints, dsn: str, file: Path) -> None:
    """The database as it was: dropped, created, `pg_restore`."""
    name = urlsplit(dsn).path.lstrip("/")
    stack.drop_database(name)
    stack.create_database(name)
    _run("pg_restore", "--exit-on-error", f"--dbname={dsn}", str(file))


def _run(program: str, *arguments: str) -> None:
    subprocess.run([str(postgres.bin_dir() / program), *arguments], check=True, stdin=subprocess.DEVNULL)
