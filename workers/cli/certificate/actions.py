"""What the commands of `lethe certificate` do."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from workers import settings as settings_module
from workers.cli import connections
from workers.db import migrate, sql
from workers.erasure import summary
from workers.errors import UsageError
from workers.proof import signing, verification
from workers.proof.certificate import Certificate
from workers.proof.signing import PublicKeys
from workers.proof.verification import ChainCheck, Fault, Head

_QUERIES = sql.queries("certificates")


def find(name: str) -> Certificate:
    """One certificate, the latest of a request. Raises UsageError where there is none."""

    async def read() -> str | None:
        async with connections.database(settings_module.load()) as connection:
            await migrate.check(connection)
            sequence = int(name) if name.isdecimal() and len(name) < 18 else None
            row = await connection.fetchrow(_QUERIES["find"], sequence, name.lower())
            return None if row is None else row["document"]

    document = asyncio.run(read())
    if document is None:
        raise UsageError("there is no such certificate: `lethe requests ls --all` shows their numbers")
    return Certificate.model_validate_json(document)


def write(one: Certificate, page_file: Path | None, pdf_file: Path | None, language: str) -> None:
    """The certificate for people, into files. Raises UsageError where one cannot be written."""
    from workers.proof import page, pdf

    if page_file is not None:
        _write(page_file, page.html(one, language).encode())
    if pdf_file is not None:
        _write(pdf_file, pdf.pdf(one, language))


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{file} cannot be written ({error.strerror})") from None
    typer.echo(f"{file} written", err=True)


def show(one: Certificate) -> None:
    """In a few words."""
    typer.echo(f"Certificate {one.sequence} of request {one.request_id}: {one.outcome}")
    typer.echo(f"received {one.received_at:%Y-%m-%d %H:%M:%S}, effective {one.fenced_at:%Y-%m-%d %H:%M:%S}, ", nl=False)
    typer.echo(f"completed {one.completed_at:%Y-%m-%d %H:%M:%S} (UTC)\n")
    typer.echo(summary.words(one, "en"))
    typer.echo(f"\nhash {one.hash}\nkey  {one.key_id}")


def verify(files: Sequence[Path], chain: bool, key: Path | None) -> bool:
    """Whether everything is as it was issued; says what is not. Raises UsageError where nothing is given."""
    if not files and not chain:
        raise UsageError("name files, or --chain for all that the database holds")
    keys = _keys(key)
    faults: list[Fault] = []
    kept: dict[int, str] = {}
    for file in files:
        check = ChainCheck(keys, whole=False)
        for document in _documents(file):
            checked = check.add(document)
            faults += checked.faults
            if checked.certificate is not None:
                kept[checked.certificate.sequence] = checked.certificate.hash
        typer.echo(f"{file}: {check.count} certificates looked at")
    if chain:
        faults += asyncio.run(_verify_chain(keys, kept))
    for fault in faults:
        typer.secho(str(fault), fg="red", err=True)
    for limit in verification.LIMITS:
        typer.echo(f"Note: {limit}")
    return not faults


async def _verify_chain(keys: PublicKeys, kept: Mapping[int, str]) -> list[Fault]:
    """`kept`: hashes of certificates that somebody has in a file; they must be in the chain."""
    left = dict(kept)
    check = ChainCheck(keys, whole=True)
    faults: list[Fault] = []
    async with connections.database(settings_module.load()) as connection:
        await migrate.check(connection)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            async for row in connection.cursor(_QUERIES["all"]):
                checked = check.add(row["document"])
                faults += checked.faults
                if checked.certificate is not None and left.get(row["sequence"]) == checked.certificate.hash:
                    del left[row["sequence"]]
            head = await connection.fetchrow(_QUERIES["head"])
    assert head is not None  # the migration put it there
    typer.echo(f"chain: {check.count} certificates looked at")
    faults += [Fault(sequence, "is in a file, and not in this database's chain") for sequence in left]
    return faults + check.end(Head(head["sequence"], head["hash"].hex()) if head["sequence"] else None)


def key() -> str:
    """The public key in PEM."""
    return signing.load(settings_module.load().keyring_dir).public_pem


def _keys(file: Path | None) -> PublicKeys:
    if file is None:
        return signing.known_keys(settings_module.load().keyring_dir)
    return signing.public_keys([file])


def _documents(file: Path) -> list[str]:
    """The documents in a file: one as it was handed out or laid out anew, or one a line."""
    try:
        text = file.read_text("utf-8").strip()
        lines = [line for line in text.splitlines() if line.strip()]
        return lines if all(line.startswith("{") and line.endswith("}") for line in lines) else [text]
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8") from None
