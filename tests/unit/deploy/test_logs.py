"""Why a server did not start: the most telling line of its logs."""

from pathlib import Path

from deploy.local import logs

BROKER = """\
[1] INFO starting (kafka.Kafka)
[2] ERROR Unable to start acceptor (kafka.network.DataPlaneAcceptor)
org.apache.kafka.common.KafkaException: Socket server failed to bind
\tat kafka.network.Acceptor.openServerSocket(SocketServer.scala:668)
Caused by: java.net.BindException: Address already in use
\tat java.base/sun.nio.ch.Net.bind0(Native Method)
\t... 8 more
[3] ERROR Fatal error during broker startup (kafka.server.BrokerServer)
[4] INFO ended (kafka.Kafka)
"""


def test_of_a_servers_own_log_the_first_error_counts_with_its_cause(tmp_path: Path) -> None:
    console, log = tmp_path / "console.log", tmp_path / "broker.log"
    console.write_text("a warning\n")
    log.write_text(BROKER)
    assert logs.last_words(console, (log, 0)) == (
        "[2] ERROR Unable to start acceptor (kafka.network.DataPlaneAcceptor): "
        f"java.net.BindException: Address already in use (see {log})"
    )


def test_an_earlier_start_does_not_count(tmp_path: Path) -> None:
    console, log = tmp_path / "console.log", tmp_path / "broker.log"
    console.write_text("printed\n")
    earlier = "[1] ERROR of yesterday\n"
    log.write_text(earlier + "[2] INFO today\n")
    assert logs.last_words(console, (log, len(earlier))) == f"printed (see {log})"


def test_a_log_that_was_rotated_is_read_from_its_beginning(tmp_path: Path) -> None:
    console, log = tmp_path / "console.log", tmp_path / "broker.log"
    log.write_text("ERROR x\n")
    assert logs.last_words(console, (log, 5000)) == f"ERROR x (see {log})"


def test_of_what_was_printed_the_last_error_counts(tmp_path: Path) -> None:
    console = tmp_path / "server.log"
    console.write_text("FATAL:  starting up\nFATAL:  no memory\nLOG:  database system is shut down\n\n")
    assert logs.last_words(console) == f"FATAL:  no memory (see {console})"


def test_an_exception_that_was_printed_is_told_with_its_cause() -> None:
    printed = ['Exception in thread "main" X: one', "\tat a.b(C.java)", "Caused by: Y: two", "\t... 8 more"]
    assert logs.serious(printed) == ['Exception in thread "main" X: one: Y: two']


def test_nothing_written_is_said(tmp_path: Path) -> None:
    assert logs.last_words(tmp_path / "none") == f"no output (see {tmp_path / 'none'})"
