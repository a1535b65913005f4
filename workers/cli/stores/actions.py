"""What the commands of `lethe stores` do."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from workers.cli import connections
from workers.db import sql
from workers.errors import UsageError
from workers.settings import Settings
from workers.stores import connectors, directory, jwe
from workers.stores.connector import Misconfigured, Unavailable
from workers.stores.directory import Store

_QUERIES = sql.queries("store_jobs")
_CHECK_TIMEOUT_S = 60


class Line(NamedTuple):
    """A store in the list. `is_well` is False where somebody should look."""

    store: Store | None
    name: str
    waiting: int
    state: str
    is_well: bool


async def listed(settings: Settings) -> list[Line]:
    """Every store, and what waits for one that has no file any more."""
    stores = directory.load(settings.stores_dir, settings.keyring_dir)
    async with connections.database(settings) as connection:
        rows = {row["store"]: row for row in await connection.fetch(_QUERIES["list"])}
    now = datetime.now(UTC)
    lines = []
    for name in sorted({*stores, *rows}):
        store, row = stores.get(name), rows.get(name)
        waiting = row["waiting"] if row else 0
        state, is_well = "ready", True
        if store is None:
            state, is_well = "has no file", False
        elif store.key is None:
            state, is_well = "has no key: lethe stores keys", False
        elif not store.enabled:
            state, is_well = "disabled", not waiting
        elif store.kind == "external":
            state = "answers itself"
        elif row and row["reason"]:
            is_open = row["open_until"] and row["open_until"] > now
            state, is_well = f"{'left alone for a while: ' if is_open else ''}{row['reason']}", False
        lines.append(Line(store, name, waiting, state, is_well))
    return lines


async def checked(settings: Settings, names: Sequence[str]) -> AsyncIterator[tuple[str, bool, list[str]]]:
    """Reach each named store (none: the enabled ones) and compare it with its file: name, whether it is well, lines.

    Raises UsageError for a name that no file has.
    """
    import asyncio

    stores = directory.load(settings.stores_dir, settings.keyring_dir)
    if unknown := sorted(set(names) - set(stores)):
        raise UsageError(f"no store is called {unknown[0]}; there are: {', '.join(stores) or 'none'}")
    for store in [stores[name] for name in names] or [one for one in stores.values() if one.enabled]:
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                yield store.name, True, await _check(settings, store)
        except TimeoutError:
            yield store.name, False, [f"it did not answer within {_CHECK_TIMEOUT_S} s"]
        except (Unavailable, Misconfigured) as error:
            yield store.name, False, [str(error)]


async def _check(settings: Settings, store: Store) -> list[str]:
    if store.key is None:
        raise Misconfigured("it has no key: make it with `lethe stores keys`")
    if store.kind == "external":
        return ["an external system: it reads store-tasks itself, there is nothing to reach"]
    connector = connectors.connect(store, connectors.Surroundings(settings))
    try:
        return await connector.check()
    finally:
        await connector.close()


def keys(settings: Settings) -> tuple[list[str], list[tuple[str, str]]]:
    """Make the keys that are missing; their stores' names, and every store's public key."""
    made = directory.create_keys(settings.stores_dir, settings.keyring_dir)
    stores = directory.load(settings.stores_dir, settings.keyring_dir)
    return made, [(name, jwe.public_text(store.key)) for name, store in stores.items() if store.key is not None]


def new_key() -> dict[str, object]:
    """A fresh private JWK (RFC 8037) for an external system."""
    return dict(jwe.generate().as_dict(private=True))
