"""Where the stack that all tests share answers."""

import os
import subprocess
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from deploy.local import postgres
from deploy.local.stack import Stack

KAFKA_VARIABLE = "LETHE_TEST_KAFKA"
POSTGRES_VARIABLE = "LETHE_TEST_POSTGRES"


@dataclass(frozen=True)
class Endpoints:
    """Kafka's `host:port` and the DSN of a PostgreSQL role that may create databases."""

    bootstrap: str
    maintenance_dsn: str

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Those of a stack that runs."""
        return cls(stack.bootstrap, stack.dsn(postgres.SUPERUSER))

    @classmethod
    def from_environment(cls) -> Self | None:
        """Those of a stack that the developer keeps running, or None."""
        bootstrap, dsn = os.environ.get(KAFKA_VARIABLE), os.environ.get(POSTGRES_VARIABLE)
        if bootstrap and dsn:
            return cls(bootstrap, dsn)
        if bootstrap or dsn:
            raise RuntimeError(f"set both {KAFKA_VARIABLE} and {POSTGRES_VARIABLE}, or neither")
        return None

    def dsn(self, database: str) -> str:
        """The connection URI of one database."""
        return urlunsplit(urlsplit(self.maintenance_dsn)._replace(path=f"/{database}"))

    def create_database(self, name: str) -> str:
        """A new, empty one; the value is its DSN."""
        self._run("createdb", name)
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Ends whoever is connected to it, then drops it."""
        self._run("dropdb", "--if-exists", "--force", name)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(postgres.bin_dir() / program), f"--maintenance-db={self.maintenance_dsn}", *arguments]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
