"""`lethe up`: everything on this machine, until Ctrl-C."""

from pathlib import Path
from typing import Annotated

import typer

Port = Annotated[int, typer.Option(min=1024, max=65534)]


def up(
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Where everything is kept.")] = Path(".lethe"),
    no_workers: Annotated[
        bool, typer.Option("--no-workers", help="Kafka and PostgreSQL only; run `lethe worker` yourself.")
    ] = False,
    kafka_port: Port = 19092,
    postgres_port: Port = 15432,
    web_port: Port = 6066,
    mail_port: Port = 1025,
    public_port: Port = 8025,
    postbox_port: Port = 8024,
) -> None:
    """Start Kafka, PostgreSQL and the workers, and keep them running until Ctrl-C.

    Mails to people are kept and shown on a page, not sent, unless LETHE_SMTP_HOST names a mail server. What all of
    them hold is kept in the data directory and is there again at the next start. While it runs, other commands
    in the same directory find it by themselves.

    Example: lethe up
    """
    from rich.console import Console

    from workers import app
    from workers.cli.local import endpoints
    from workers.cli.local.embedded import Ports
    from workers.cli.local.ending import Ending
    from workers.cli.local.platform import LocalLethe
    from workers.cli.local.steps import Steps

    console = Console()
    steps = Steps(console)
    steps.say(f"Lethe starts; everything is kept in {data_dir.absolute()}")
    ports = Ports(kafka_port, postgres_port, web_port, mail_port, public_port, postbox_port)
    lethe = LocalLethe(data_dir, ports, steps, {} if no_workers else app.PROCESSES)
    with Ending() as ending:
        try:
            lethe.start()
            console.print(endpoints.table(lethe))
            steps.say(f"[bold]Ready after {steps.elapsed_s:.1f} s.[/bold] Ctrl-C ends it.")
            while not ending.wait(0.5):
                lethe.check()
        finally:
            ending.begin()
            if lethe.is_started:
                steps.say("Ending: workers first, then Kafka and PostgreSQL.")
            lethe.stop()
    steps.say("Ended. Start again with the same command: everything is still there.")
