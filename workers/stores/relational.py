"""Erasing in a relational store: whose rows there are, what is deleted or anonymised, what is kept, in bulk.

Nothing of it knows a driver: a `Session` runs the statements inside a transaction that its connector holds.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from schemas.store import StoreKept
from workers.stores.connector import Left, Misconfigured, Person, merged
from workers.stores.statements import TEXT_OF_ANY_CASE, Dialect, Statement, Statements
from workers.stores.tables import SqlOptions, Table, chain, children_first

KEY_TYPES = ("text", TEXT_OF_ANY_CASE, "bigint", "numeric", "uuid")


class Session(Protocol):
    """One transaction at the store."""

    async def fetch(self, statement: Statement, values: Mapping[str, Sequence[str]]) -> Sequence[Sequence[Any]]:
        """Run it and return its rows."""

    async def execute(self, statement: Statement, values: Mapping[str, Sequence[str]]) -> None:
        """Run it."""


class Found(NamedTuple):
    """The rows that one value finds in a table: how many, the newest date that keeping counts from."""

    rows: int
    newest: date | None


class Plan:
    """The tables of a store in the order in which they are erased, with their statements."""

    def __init__(
        self, options: SqlOptions, dialect: Dialect, types: Mapping[str, Mapping[str, str]],
        references: Sequence[tuple[str, str]],
    ) -> None:  # fmt: skip
        """`types`: the type of each column, by table. Raises Misconfigured where file and store do not fit."""
        by_name = {table.table: table for table in options.tables}
        for table in options.tables:
            _check(table, types)
        self._statements = []
        for table in children_first(options.tables, references):
            links = chain(table, by_name)
            owner = links[-1]
            keys = {name: types[owner.table][column] for name, column in owner.key_columns.items()}
            self._statements.append((Statements(dialect, links, keys), keys))

    @property
    def order(self) -> list[str]:
        """The tables as they are erased."""
        return [statements.table.table for statements, _ in self._statements]

    async def look(self, session: Session, people: Sequence[Person]) -> dict[UUID, Left]:
        """What is left to erase of each, and what is kept."""
        found: dict[UUID, list[Left]] = {}
        for statements, keys in self._statements:
            owners = _owners(people, keys, statements)
            for ref, left in (await self._look(session, statements, owners)).items():
                found.setdefault(ref, []).append(left)
        return {ref: merged(lefts) for ref, lefts in found.items()}

    async def erase(self, session: Session, people: Sequence[Person]) -> dict[UUID, Left]:
        """Erase them; returns what there was to erase, and what is kept."""
        found = await self.look(session, people)
        for statements, keys in self._statements:
            owners = _owners(people, keys, statements)
            for identifier in statements.identifiers:
                statement = statements.erase(identifier)
                if statement is not None and owners[identifier]:
                    await session.execute(statement, {identifier: list(owners[identifier])})
        return found

    async def _look(
        self, session: Session, statements: Statements, owners: Mapping[str, Mapping[str, Sequence[UUID]]]
    ) -> dict[UUID, Left]:
        table = statements.table
        residue = await self._count(session, statements, owners, residue_only=True)
        kept = await self._count(session, statements, owners, residue_only=False) if table.keeps else {}
        nothing = Found(0, None)
        return {
            ref: Left({table.what: residue.get(ref, nothing).rows}, _kept(table, kept.get(ref), residue.get(ref)))
            for ref in {**residue, **kept}
        }

    async def _count(
        self, session: Session, statements: Statements, owners: Mapping[str, Mapping[str, Sequence[UUID]]],
        residue_only: bool,
    ) -> dict[UUID, Found]:  # fmt: skip
        values = {identifier: list(by_value) for identifier, by_value in owners.items()}
        found: dict[UUID, Found] = {}
        for identifier in statements.identifiers:
            if not owners[identifier]:
                continue
            for value, rows, newest in await session.fetch(statements.count(identifier, residue_only), values):
                for ref in _whose(owners[identifier], str(value)):
                    before = found.get(ref, Found(0, None))
                    found[ref] = Found(before.rows + rows, _later(before.newest, _day(newest)))
        return found


def _check(table: Table, types: Mapping[str, Mapping[str, str]]) -> None:
    """Raises Misconfigured unless the store has the table and every column that the file names."""
    known = types.get(table.table)
    if not known:
        raise Misconfigured(f"the store has no table {table.table}, or this account may not see it")
    named = [*table.keys.values(), *table.columns]
    named += [table.through.column] if table.through else []
    named += [table.keep.since] if table.keep and table.keep.since else []
    for column in named:
        if column not in known:
            raise Misconfigured(f"the table {table.table} has no column {column}")
    if table.through and table.through.references not in types.get(table.through.table, {}):
        raise Misconfigured(f"the table {table.through.table} has no column {table.through.references}")
    for column in table.keys.values():
        if known[column] not in KEY_TYPES:
            raise Misconfigured(
                f"the column {table.table}.{column} is of type {known[column]}: a key is text, a number or a UUID"
            )


def _owners(
    people: Sequence[Person], keys: Mapping[str, str], statements: Statements
) -> dict[str, dict[str, list[UUID]]]:
    """By identifier: each value that may stand in its column, as the store writes it, and whose it is."""
    owners: dict[str, dict[str, list[UUID]]] = {}
    for identifier, type_ in keys.items():
        by_value = owners[identifier] = {}
        ignore_case = statements.ignores_case(identifier)
        for person in people:
            for value in person.values(identifier):
                written = _written(value.lower() if ignore_case else value, type_)
                if written is not None:
                    by_value.setdefault(written, []).append(person.subject_ref)
    return owners


def _written(value: str, type_: str) -> str | None:
    """A value as the column's type writes it; None where no row can have it."""
    if type_.startswith("text"):
        return value if "\0" not in value else None
    try:
        if type_ == "uuid":
            return str(uuid.UUID(value))
        return str(int(value)) if value.isascii() and len(value) <= 18 else None
    except ValueError:
        return None


def _whose(by_value: Mapping[str, Sequence[UUID]], found: str) -> Sequence[UUID]:
    """Whose a found value is; some columns fill up with spaces. Raises Misconfigured for one that nobody asked for."""
    refs = by_value.get(found) or by_value.get(found.rstrip(" "))
    if refs is None:
        raise Misconfigured("a row was found by a value that nobody has: how does the key column compare its values?")
    return refs


def _kept(table: Table, total: Found | None, residue: Found | None) -> tuple[StoreKept, ...]:
    if total is None:
        return ()
    if table.keep is None:
        grounds = [(name, column.keep) for name, column in table.columns.items() if column.keep]
        return tuple(StoreKept(what=f"{table.what}.{name.lower()}", ground=ground) for name, ground in grounds)
    if residue is not None and residue.rows >= total.rows:
        return ()
    return (StoreKept(what=table.what, ground=table.keep.ground, until=table.keep.until(total.newest)),)


def _day(value: Any) -> date | None:
    return value.date() if isinstance(value, datetime) else value


def _later(one: date | None, other: date | None) -> date | None:
    return max((day for day in (one, other) if day is not None), default=None)
