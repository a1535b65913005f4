"""`lethe scan`: looks for what should be gone."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workers.scan.scanner import Report

_FOUND, _UNREAD = 1, 2


def scan(
    tokens: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOKEN]…", help="Names, streets, addresses: four characters at least. Better in a file."
        ),
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--dir", metavar="DIR", help="Folder or file to look through; may be repeated. Default: .lethe"),
    ] = None,
    tokens_file: Annotated[
        Path | None,
        typer.Option("--tokens-file", metavar="FILE", help="One token a line, UTF-8; - reads standard input."),
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object per line instead of text.")] = False,
) -> None:
    """Search every file of a folder for tokens: Kafka's segments (batches decompressed, deleted and half-compacted
    ones too), PostgreSQL's tables, indexes, TOAST, WAL and statistics, mails, logs, exports, archives.

    In every form: UTF-8, UTF-16, Latin-1, JSON and HTML escapes, percent-encoding, quoted-printable, hex, base64 at
    each alignment, both Unicode normal forms, any case. A token is never printed, only its number (line). Exits with 1
    when something was found, with 2 when nothing was, but something could not be looked through.

    What is encrypted cannot be found, nor what is compressed or encoded twice over. PostgreSQL writes late:
    `checkpoint` first where its files matter more than its WAL.

    Example: lethe scan --tokens-file person.txt --dir .lethe --dir /var/log/lethe
    """
    from workers.scan import scanner

    given = [*(tokens or []), *_lines(tokens_file)]
    started_s = time.monotonic()
    report = scanner.scan(given, folders or [Path(".lethe")], skip=[tokens_file] if tokens_file else [])
    (_print_json if json_lines else _print_text)(report, len(given), time.monotonic() - started_s)
    if not report.is_clean:
        raise typer.Exit(_FOUND if report.findings else _UNREAD)


def _lines(path: Path | None) -> list[str]:
    from workers.errors import UsageError

    if path is None:
        return []
    try:
        text = sys.stdin.read() if path == Path("-") else path.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _print_text(report: "Report", token_count: int, seconds: float) -> None:
    for one in report.findings:
        times = "" if one.count == 1 else f" ({one.count} times)"
        typer.echo(f"{one.path}:{one.offset}: {one.what}: token {one.token} as {one.form}{times}")
    for missed in report.unread:
        typer.echo(f"{missed.path}: not looked through: {missed.why}", err=True)
    traces = sum(one.count for one in report.findings)
    looked = f"{report.files} files, {report.size_bytes / 2**20:.1f} MiB, {seconds:.1f} s"
    missed_count = f"; {len(report.unread)} could not be looked through" if report.unread else ""
    typer.echo(f"{traces} traces of {token_count} tokens in {looked}{missed_count}.")


def _print_json(report: "Report", token_count: int, seconds: float) -> None:
    for one in report.findings:
        typer.echo(json.dumps({"kind": "finding", **one._asdict()}))
    for missed in report.unread:
        typer.echo(json.dumps({"kind": "unread", **missed._asdict()}))
    summary = {
        "kind": "summary", "traces": sum(one.count for one in report.findings), "tokens": token_count,
        "files": report.files, "size_bytes": report.size_bytes, "unread": len(report.unread),
        "seconds": round(seconds, 3),
    }  # fmt: skip
    typer.echo(json.dumps(summary))
