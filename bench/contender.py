"""A contender's process: started, watched from outside, ended."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import psutil

from bench import task
from bench.site import BenchError, Site
from bench.source import Source
from deploy.local import ports
from topics import catalogue

_ROOT = Path(__file__).resolve().parent.parent
_CHILD = _ROOT / "deploy" / "local" / "child.py"
_END_TIMEOUT_S = 20
_MIB = 1024 * 1024


class Kind(NamedTuple):
    """How a contender is run. `transactional`: its offsets commit together with its records."""

    name: str
    module: str
    transactional: bool = False
    is_lethe: bool = False


LETHE = Kind("lethe", "lethe", transactional=True, is_lethe=True)
RAW_LOOP = Kind("raw_loop_pipelined", "raw_loop", transactional=True)
PLAIN = Kind("plain_at_least_once", "plain")
TUNED_FASTSTREAM = Kind("tuned_faststream", "tuned_faststream")
NAIVE_FAUST = Kind("naive_faust", "naive_faust")
NAIVE_FASTSTREAM = Kind("naive_faststream", "naive_faststream")
FAST = (LETHE, RAW_LOOP, PLAIN, TUNED_FASTSTREAM)
NAIVE = (NAIVE_FAUST, NAIVE_FASTSTREAM)


@dataclass(frozen=True)
class Usage:
    """What the process has used: its highest resident memory (MiB), its processor time (s)."""

    rss_mb: float
    cpu_s: float


class Contender:
    """One run of one contender on one input: `with Contender(...) as contender`. Leaves nothing behind."""

    def __init__(self, site: Site, kind: Kind, source: Source, prefix: str, batch_records: int) -> None:
        self.kind = kind
        self._site = site
        self._source = source
        self._output_prefix = prefix if kind.is_lethe else f"{prefix}{kind.module}."
        self._database = f"{prefix}{kind.module}".replace(".", "_")
        self.group = f"{prefix}lethe.shipping" if kind.is_lethe else f"{prefix}{kind.module}"
        self.outputs: dict[str, str] = {}
        self.dsn = ""
        self._started_file = site.data_dir / f"{self._database}.started"
        self._log = site.data_dir / f"{self._database}.log"
        self._batch_records = batch_records
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        templates = (catalogue.CARRIER_ADDRESSES,)
        lethe_only = (catalogue.DEAD_LETTERS, catalogue.RELAY_POSITIONS) if self.kind.is_lethe else ()
        self.outputs = self._site.create_topics(self._output_prefix, templates + lethe_only)
        self.dsn = self._site.create_database(self._database, migrated=self.kind.is_lethe)
        self._started_file.unlink(missing_ok=True)
        todo = task.Task(
            bootstrap=self._site.stack.bootstrap,
            dsn=self.dsn,
            keyring_dir=self._site.keyring_dir,
            carriers_dir=self._site.carriers_dir,
            prefix=self._prefix,
            source=self._source.topic,
            source_partitions=self._source.partitions,
            group=self.group,
            outputs=self.outputs,
            batch_records=self._batch_records,
            started_file=self._started_file,
            data_dir=self._site.data_dir,
        )
        # through the embedded stack's helper: the contender ends with us, however we end
        tied = [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), str(int(signal.SIGKILL)), "-"]
        module = f"bench.contenders.{self.kind.module}"
        command = [*tied, sys.executable, "-m", module, str(ports.choose(1)[0])]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=self._log.open("wb"),
            stderr=subprocess.STDOUT,
            cwd=self._site.data_dir,
            env=environment(),
        )
        assert self._process.stdin is not None
        self._process.stdin.write(todo.model_dump_json().encode())
        self._process.stdin.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._site.close_group(self.group)
        for topic in self.outputs.values():
            self._site.delete_topics(topic)
        self._site.drop_database(self._database)

    @property
    def started_s(self) -> float:
        """The wall clock when its client first handed it records. Only once that was."""
        return int(self._started_file.read_text()) / 1e9

    def applied(self) -> int:
        """How many input records it has committed offsets for."""
        return self._site.committed(self.group, self._source.topic, self._source.partitions)

    def published(self) -> int:
        """How many records lie in its output topics. Transactional contenders write control records too."""
        topics = [(topic, number) for topic in self.outputs.values() for number in range(task.OUTPUT_PARTITIONS)]
        return sum(self._site.end_offsets(topics).values())

    def usage(self) -> Usage:
        """What it has used so far."""
        process = psutil.Process(self._alive().pid)
        spent = process.cpu_times()
        return Usage(peak_rss(process) / _MIB, spent.user + spent.system)

    def rss_mb(self) -> float:
        """Resident memory now, MiB."""
        return float(psutil.Process(self._alive().pid).memory_info().rss) / _MIB

    def check(self) -> None:
        """Raises BenchError when it has ended by itself."""
        self._alive()

    def end(self) -> None:
        """SIGTERM, and SIGKILL to what does not end."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def fail(self, why: str) -> BenchError:
        """The error that tells what went wrong, with the last line of the contender's log."""
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["it printed nothing"]
        return BenchError(f"{self.kind.name}: {why}: {lines[-1][:300]} (see {self._log})")

    def _alive(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise self.fail("it ended by itself")
        return self._process


def wait_started(contender: Contender, timeout_s: float = 60) -> None:
    """Returns once the contender was handed its first records. Raises BenchError."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        try:
            if contender.started_s:
                return
        except (FileNotFoundError, ValueError):  # not there yet, or only just created
            contender.check()
            time.sleep(0.02)
    raise contender.fail(f"it read nothing within {timeout_s:.0f} s")


def peak_rss(process: psutil.Process) -> int:
    """Bytes. The kernel keeps the peak on Linux; elsewhere what is resident at the end stands for it."""
    status = Path(f"/proc/{process.pid}/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return int(process.memory_info().rss)


def environment() -> dict[str, str]:
    """Ours, without settings of Lethe that someone may have exported: the bench measures the defaults."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LETHE_")}
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
