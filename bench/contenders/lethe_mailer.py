"""Lethe's mailer, as `lethe worker mailer` runs it, without a limit to its rate."""

import sys

from bench import mail_task
from workers import app, log, settings

_NO_LIMIT = 1e9


def main() -> None:
    """Runs until SIGTERM. The port of its web server is the first argument."""
    todo = mail_task.read()
    log.configure("json")
    chosen = settings.load(
        database_dsn=todo.dsn,
        kafka_bootstrap=todo.kafka_bootstrap,  # at its start a worker asks Kafka whether the database was restored
        keyring_dir=todo.keyring_dir,
        dkim_dir=todo.dkim_dir,
        purposes_file=todo.purposes_file,
        carriers_dir=todo.carriers_dir,
        smtp_port=todo.smtp_port,
        smtp_connections=todo.connections,
        mails_per_s=_NO_LIMIT,
        mails_per_s_per_domain=_NO_LIMIT,
    )
    app.run(chosen, ("mailer",), int(sys.argv[1]))


if __name__ == "__main__":
    main()
