"""The tables of a relational store, as its file describes them: whose rows they are, what becomes of each column."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from workers.stores.connector import Misconfigured
from workers.stores.directory import IdentifierName
from workers.stores.options import Options, Secret

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_$]{0,62}$")]
TableName = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z_][A-Za-z0-9_$]{0,62}\.)?[A-Za-z_][A-Za-z0-9_$]{0,62}$")
]
Ground = Annotated[str, StringConstraints(min_length=3, max_length=200)]
RANDOM = "{random}"


class Keep(Options):
    """Something stays, on a legal ground; with `years` and `since` (a date column) only for so long."""

    ground: Ground
    years: int | None = Field(None, ge=1, le=100)
    since: Name | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.years is None) != (self.since is None):
            raise ValueError("years and since belong together: how long, and from which date column on")
        return self

    def until(self, newest: date | None) -> date | None:
        """The last day on which a row that began on `newest` is kept."""
        if self.years is None or newest is None:
            return None
        try:
            return newest.replace(year=newest.year + self.years)
        except ValueError:  # 29 February
            return newest.replace(year=newest.year + self.years, day=28)


class Column(Options):
    """What becomes of a column in a row that stays: exactly one of the three."""

    delete: bool = False
    anonymise: str | None = None
    keep: Ground | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.delete + (self.anonymise is not None) + (self.keep is not None) != 1:
            raise ValueError("give exactly one of delete: true, anonymise: TEXT, keep: GROUND")
        return self


class Through(Options):
    """The rows belong to rows of another table: `column` here equals `references` there."""

    table: TableName
    column: Name
    references: Name


class Table(Options):
    """One table. A row is a person's where any of `keys` matches; or it belongs to such a row (`through`)."""

    table: TableName
    keys: Mapping[IdentifierName, Name] = Field(default_factory=dict)
    through: Through | None = None
    ignore_case: tuple[IdentifierName, ...] = ("email",)
    columns: Mapping[Name, Column] = Field(default_factory=dict)
    keep: Keep | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if bool(self.keys) == (self.through is not None):
            raise ValueError("give keys (a column per identifier), or through (the table that has them)")
        if self.columns and self.keep:
            raise ValueError("keep is for whole rows; with columns, give keep for the columns that stay")
        return self

    @property
    def key_columns(self) -> dict[str, str]:
        """The column of each identifier."""
        return {str(identifier): column for identifier, column in self.keys.items()}

    @property
    def sought_by(self) -> list[str]:
        """The columns that its rows are found by: each should begin an index."""
        return [*self.key_columns.values(), *([self.through.column] if self.through else [])]

    @property
    def keeps(self) -> bool:
        """Whether anything of it may stay on a ground."""
        return self.keep is not None or any(column.keep for column in self.columns.values())

    @property
    def what(self) -> str:
        """How receipts name it."""
        return self.table.rpartition(".")[2].lower()


class SqlOptions(Options):
    """The `options` of a relational store. `dsn` is a secret: `env:NAME` or `file:PATH`."""

    dsn: Secret
    tables: Annotated[tuple[Table, ...], Field(min_length=1)]
    timeout_s: float = Field(30, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [table.table for table in self.tables]
        if len(set(names)) != len(names):
            raise ValueError("tables names one twice")
        for table in self.tables:
            if table.through and table.through.table not in names:
                raise ValueError(f"tables: {table.table} goes through {table.through.table}, which is not listed")
        children_first(self.tables, [])
        return self


def children_first(tables: Sequence[Table], references: Sequence[tuple[str, str]]) -> list[Table]:
    """The tables so that who refers to another comes before it; `references` are (referring, referred) names.

    Raises Misconfigured where they refer to each other in a circle: no order would do.
    """
    by_name = {table.table: table for table in tables}
    edges = {*references, *((table.table, table.through.table) for table in tables if table.through)}
    referring = {name: {a for a, b in edges if b == name and a != name and a in by_name} for name in by_name}
    ordered: list[Table] = []
    while referring:
        free = [name for name in by_name if name in referring and not referring[name]]
        if not free:
            raise Misconfigured(f"the tables {', '.join(sorted(referring))} refer to each other in a circle")
        for name in free:
            ordered.append(by_name[name])
            del referring[name]
        for others in referring.values():
            others.difference_update(free)
    return ordered


def chain(table: Table, tables: Mapping[str, Table]) -> list[Table]:
    """The table, then those that it goes through, up to the one that has the keys."""
    found = [table]
    while (through := found[-1].through) is not None:
        found.append(tables[through.table])
    return found
