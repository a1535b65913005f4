"""Lethe's shipping worker, as `lethe worker shipping` runs it."""

import sys

from bench import clock, task
from workers import app, log, settings


def main() -> None:
    """Runs until SIGTERM. The port of its web server is the first argument."""
    todo = task.read()
    clock.start_on_first_records(todo.started_file)
    log.configure("json")
    chosen = settings.load(
        prefix=todo.prefix,
        kafka_bootstrap=todo.bootstrap,
        database_dsn=todo.dsn,
        keyring_dir=todo.keyring_dir,
        carriers_dir=todo.carriers_dir,
    )
    app.run(chosen, ("shipping",), int(sys.argv[1]))


if __name__ == "__main__":
    main()
