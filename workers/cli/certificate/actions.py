"""What the commands of `lethe certificate` do."""

import asyncio
from collections.abc import Sequence
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


def show(name: str, as_json: bool) -> None:
    """One certificate. Raises UsageError where there is none, or more than one."""

    async def read() -> list[str]:
        async with connections.database(settings_module.load()) as connection:
            await migrate.check(connection)
            sequence = int(name) if name.isdecimal() and len(name) < 18 else None
            return [row["document"] for row in await connection.fetch(_QUERIES["find"], sequence, name.lower())]

    found = asyncio.run(read())
    if not found:
        raise UsageError("there is no such certificate: `lethe requests ls --all` shows their numbers")
    document = found[-1]  # of one request the last one: it replaces those before
    if as_json:
        typer.echo(document)
        return
    one = Certificate.model_validate_json(document)
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
    for file in files:
        check = ChainCheck(keys, whole=False)
        for line in _lines(file):
            faults += check.add(line).faults
        typer.echo(f"{file}: {check.count} certificates looked at")
    if chain:
        faults += asyncio.run(_verify_chain(keys))
    for fault in faults:
        typer.secho(str(fault), fg="red", err=True)
    for limit in verification.LIMITS:
        typer.echo(f"Note: {limit}")
    return not faults


async def _verify_chain(keys: PublicKeys) -> list[Fault]:
    check = ChainCheck(keys, whole=True)
    faults: list[Fault] = []
    async with connections.database(settings_module.load()) as connection:
        await migrate.check(connection)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            async for row in connection.cursor(_QUERIES["all"]):
                faults += check.add(row["document"]).faults
            head = await connection.fetchrow(_QUERIES["head"])
    assert head is not None  # the migration put it there
    typer.echo(f"chain: {check.count} certificates looked at")
    return faults + check.end(Head(head["sequence"], head["hash"].hex()) if head["sequence"] else None)


def key() -> str:
    """The public key in PEM."""
    return signing.load(settings_module.load().keyring_dir).public_pem


def _keys(file: Path | None) -> PublicKeys:
    if file is None:
        return signing.known_keys(settings_module.load().keyring_dir)
    return signing.public_keys([file])


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not UTF-8") from None
