"""`lethe worker`: run workers in this process."""

from typing import Annotated

import typer


def worker(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="shipping, relay; all of them when none is named.")
    ] = None,
    web_port: Annotated[
        int | None, typer.Option("--web-port", min=1, max=65535, help="Where /health, /ready and /metrics are.")
    ] = None,
) -> None:
    """Run the named workers in this process until SIGTERM or Ctrl-C; what was read is finished first.

    Any number may run at once: they share the partitions. It ends with 78 when a person must act before it makes
    sense to start it again, with 70 when a supervisor should simply do so.

    Example: lethe worker shipping --web-port 6066
    """
    from workers import app, log
    from workers import settings as settings_module

    settings = settings_module.load()
    log.configure(settings.log_format)
    app.run(settings, tuple(names or app.WORKERS), web_port or settings.web_port)
