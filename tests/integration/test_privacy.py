"""Personal data stands nowhere in the clear: not in PostgreSQL's files, not in logs, metrics or dead letters."""

import asyncio
import base64
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from deploy.local.stack import Stack
from tests.support import lethe
from tests.support.worker_process import worker_process
from workers.cli.samples.events import SampleEvent
from workers.settings import Settings

_ORDERS = 60
_SURNAME, _STREET = "Quixomatl", "Zwiebelfurtgasse"
_EMAIL, _PHONE = "quixomatl.ada@example.com", "+49 30 23125 987"
_PLANTED = (_SURNAME, _STREET, _EMAIL, _PHONE)


@pytest.fixture
def settings(own_stack: Stack, tmp_path: Path) -> Settings:
    """A fresh Lethe on a PostgreSQL whose files may be searched."""
    name = f"t{uuid.uuid4().hex[:10]}"
    own_stack.postgres.create_database(name)
    return lethe.prepare(own_stack, f"{name}.", own_stack.dsn(name), tmp_path)


def _event(number: int, kind: str = "order.placed", **changes: object) -> SampleEvent:
    ship_to: dict[str, object] = {
        "name": f"Ada {_SURNAME}", "lines": [f"{_STREET} {number}"], "city": "Berlin", "postal_code": "10115",
        "country_code": "DE", "email": _EMAIL, "phone": _PHONE,
    }  # fmt: skip
    ship_to.update(changes)
    order = {"order_id": f"o{number}", "customer_ref": f"c{number}", "carrier": "gls", "ship_to": ship_to}
    headers = {
        "ce_specversion": "1.0", "ce_id": f"e{number}-{kind}", "ce_source": "/shop", "ce_type": kind,
        "ce_time": datetime.now(UTC).isoformat(), "content-type": "application/json",
    }  # fmt: skip
    encoded = [(name, value.encode()) for name, value in headers.items()]
    return SampleEvent("orders", f"c{number}".encode(), encoded, json.dumps(order).encode(), kind, None)


def _events() -> Iterable[SampleEvent]:
    """Open orders, and refused ones that name the person in many ways."""
    yield from (_event(number) for number in range(_ORDERS))
    yield _event(900, postal_code=None)
    yield _event(901, kind=f"order.{_SURNAME}")
    yield _event(902, lines=[f"{_STREET} " * 30])
    yield _event(903, name=f"{_SURNAME}\x00")
    yield _event(904)._replace(key=_EMAIL.encode())
    yield _event(905)._replace(value=f'{{"name": "{_SURNAME}", '.encode())


def _written_forms(token: str) -> list[bytes]:
    plain = token.encode()
    return [plain, plain.hex().encode(), base64.b64encode(plain)[:-4], token.encode("utf-16-le")]


def _found(directory: Path, tokens: Iterable[str]) -> list[str]:
    forms = [(token, form) for token in tokens for form in _written_forms(token)]
    files = [file for file in directory.rglob("*") if file.is_file() and not file.is_symlink()]
    return [
        f"{token} in {file.name}"
        for file in files
        for content in [file.read_bytes()]
        for token, form in forms
        if form in content
    ]


async def _sql(settings: Settings, *statements: str) -> None:
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def test_a_planted_person_is_found_nowhere_while_the_orders_are_open(own_stack: Stack, settings: Settings) -> None:
    lethe.publish(settings, _events())
    with worker_process(settings) as worker:
        lethe.wait_drained(settings)
        pages = worker.get("/metrics")[1] + worker.get("/health")[1]
        log = worker.log
    assert len(lethe.read_carriers(settings, ["gls"])) == _ORDERS
    letters = lethe.read_dead_letters(settings)
    assert len(letters) == 6
    asyncio.run(_sql(settings, "checkpoint"))
    assert _found(own_stack.data_dir / "postgres", _PLANTED) == []
    spoken = pages + log + "".join(f"{letter.key!r}{letter.headers}{letter.value!r}" for letter in letters)
    assert [token for token in _PLANTED if token in spoken] == []


def test_the_search_itself_finds_what_is_written_in_the_clear(own_stack: Stack, settings: Settings) -> None:
    token = f"canary{uuid.uuid4().hex}"
    asyncio.run(_sql(settings, f"create table scratch as select '{token}' as name", "checkpoint"))
    assert _found(own_stack.data_dir / "postgres", [token])
