"""What `lethe up` prints when it is ready: where everything is, and what to type next."""

from rich import box
from rich.table import Table

from workers.cli import connections
from workers.cli.local.platform import LocalLethe


def table(lethe: LocalLethe) -> Table:
    """No password in it: that is in the environment file, which its owner alone may read."""
    drawn = Table(box=box.SIMPLE_HEAD, show_header=False, pad_edge=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, value in _rows(lethe):
        drawn.add_row(name, value)
    return drawn


def _rows(lethe: LocalLethe) -> list[tuple[str, str]]:
    settings = lethe.settings
    rows = [
        ("Kafka", settings.kafka_bootstrap),
        ("PostgreSQL", f"postgresql://postgres@{connections.place(settings)}"),
        ("", f"its password: LETHE_DATABASE_DSN in {lethe.environment_file}"),
        ("Data", str(lethe.data_dir)),
    ]
    for name, port in lethe.web_ports.items():
        rows.append((f"Worker {name}", f"http://{settings.web_host}:{port}/health  /ready  /metrics"))
    if "people" in lethe.web_ports:
        rows.append(("Pages for people", f"{settings.public_url}/subscribe"))
        if settings.sink_dir is not None:
            rows.append(("Mails to people", f"http://{settings.web_host}:{lethe.web_ports['people']}/mails"))
        rows.append(("Mails to the shop", f"{settings.postbox_host}:{settings.postbox_port} (LMTP)"))
    rows += [
        ("Orders go to", f"topic {settings.topic('orders')}, keyed by customer_ref"),
        ("Try", f"set -a; . {lethe.environment_file}; set +a    (only outside of this directory)"),
        ("", "lethe publish events.ndjson"),
        ("", "lethe lag --watch"),
        ("", "lethe dlq ls"),
    ]
    return rows
