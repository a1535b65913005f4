"""`lethe doctor`: is everything as it has to be, and if not, what to do."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workers.settings import Settings


def doctor(
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Print the settings in force, without secrets, and check Kafka, PostgreSQL, topics, keyring and carriers.

    Exits with 1 when something is wrong. Changes nothing.

    Example: lethe doctor
    """
    import asyncio

    from workers import settings as settings_module
    from workers.cli.doctor import checkup

    settings = settings_module.load()
    if not json_lines:
        _print_settings(settings)
    findings = asyncio.run(checkup.findings(settings))
    for finding in findings:
        if json_lines:
            typer.echo(json.dumps(finding._asdict()))
        else:
            colour = {"ok": "green", "problem": "red", "note": "yellow"}[finding.state]
            typer.echo(f"{typer.style(f'{finding.state:8}', fg=colour)}{finding.what}: {finding.found}")
            if finding.do:
                typer.echo(f"        -> {finding.do}")
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)


def _print_settings(settings: "Settings") -> None:
    for name, (value, is_chosen) in shown(settings).items():
        origin = "" if is_chosen else "  (default)"
        typer.echo(f"LETHE_{name.upper():28} {value}{origin}")
    typer.echo("")


def shown(settings: "Settings") -> dict[str, tuple[str, bool]]:
    """Every setting as text that may be shown, and whether it was chosen. Of the DSN: host, port, database."""
    from pydantic import SecretStr

    from workers.cli import connections

    texts = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        text = "(hidden)" if isinstance(value, SecretStr) else "-" if value is None else str(value)
        texts[name] = (text or "(empty)", name in settings.model_fields_set)
    texts["database_dsn"] = (f"{connections.place(settings)} (the rest is hidden)", texts["database_dsn"][1])
    return texts
