"""A wrong keyring is noticed before any row is written with it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from workers.db import migrate
from workers.errors import KeyMissing
from workers.vault.keyring import LOOKUP_PURPOSES, Keyring

RIGHT = {purpose: purpose.encode() * 2 for purpose in LOOKUP_PURPOSES}


@pytest.fixture
async def connection(database: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(database)
    await migrate.apply(opened)
    await migrate.record_keyring(opened, Keyring({1: bytes(32)}, RIGHT))
    yield opened
    await opened.close()


async def test_the_right_keyring_passes_also_with_other_epochs(connection: asyncpg.Connection) -> None:
    await migrate.check_keyring(connection, Keyring({1: bytes(32)}, RIGHT))
    await migrate.check_keyring(connection, Keyring({2: b"2" * 32}, RIGHT))


@pytest.mark.parametrize("purpose", LOOKUP_PURPOSES)
async def test_one_wrong_look_up_key_is_named(connection: asyncpg.Connection, purpose: str) -> None:
    wrong = Keyring({1: bytes(32)}, {**RIGHT, purpose: b"x" * 32})
    with pytest.raises(KeyMissing, match=f"the look-up key '{purpose}' is not the one"):
        await migrate.check_keyring(connection, wrong)


async def test_a_second_keyring_is_not_recorded_over_the_first(connection: asyncpg.Connection) -> None:
    with pytest.raises(KeyMissing):
        await migrate.record_keyring(connection, Keyring({1: bytes(32)}, dict.fromkeys(LOOKUP_PURPOSES, b"x" * 32)))
    await migrate.check_keyring(connection, Keyring({1: bytes(32)}, RIGHT))


async def test_recording_the_same_again_is_allowed(connection: asyncpg.Connection) -> None:
    await migrate.record_keyring(connection, Keyring({1: bytes(32)}, RIGHT))


async def test_what_is_kept_is_not_the_key(connection: asyncpg.Connection) -> None:
    kept = {bytes(row["check_value"]) for row in await connection.fetch("select * from keyring_checks")}
    assert len(kept) == len(LOOKUP_PURPOSES)
    assert not any(value in key for value in kept for key in RIGHT.values())
