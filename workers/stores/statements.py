"""SQL over tables that only a store's file names, for PostgreSQL and for MySQL and MariaDB.

One statement serves all people of a task. Names are quoted and were checked against a pattern; every value is a
parameter.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from workers.stores.tables import RANDOM, Table

TEXT_OF_ANY_CASE = "text of any case"
"""Text in a collation that takes large and small letters for the same."""


class Dialect(NamedTuple):
    """What the two differ in. `matches(column, n, type, ignore_case)`: the column's value is in the n-th list.

    PostgreSQL numbers its parameters, lists first. MySQL takes them in the order in which they stand in the text, and
    `{list1}` is to be replaced by as many as there are; `{list1:signed}` has each cast.
    """

    quote: str
    matches: Callable[[str, int, str, bool], str]
    text: Callable[[int], str]
    differs: str
    random: str
    older_than_years: str
    random_pattern: str


def _postgresql_matches(column: str, number: int, type_: str, ignore_case: bool) -> str:
    return f"{f'lower({column})' if ignore_case else column} = any(${number}::text[]::{type_}[])"


def _mysql_matches(column: str, number: int, type_: str, ignore_case: bool) -> str:
    """A collation takes é for e, so letters are compared one by one; the collation's own comparison uses an index."""
    if not type_.startswith("text"):
        return f"{column} in ({{list{number}:{'signed' if type_ == 'bigint' else 'decimal(65,0)'}}})"
    letters = f"lower({column})" if ignore_case else column
    exact = f"convert({letters} using utf8mb4) collate utf8mb4_bin in ({{list{number}}})"
    may_use_index = type_ == TEXT_OF_ANY_CASE or not ignore_case
    return f"({column} in ({{list{number}}}) and {exact})" if may_use_index else exact


POSTGRESQL = Dialect(
    quote='"',
    matches=_postgresql_matches,
    text=lambda number: f"${number}::text",
    differs="({column} is distinct from {value})",
    random="replace({value}, '{{random}}', gen_random_uuid()::text)",
    older_than_years="({column} < current_date - make_interval(years => {years}))",
    random_pattern="({column} is null or {column}::text not like {value})",
)
MYSQL = Dialect(
    quote="`",
    matches=_mysql_matches,
    text=lambda number: "%s",
    differs="(not ({column} <=> {value}))",
    random="replace({value}, '{{random}}', uuid())",
    older_than_years="({column} < current_date - interval {years} year)",
    random_pattern="({column} is null or {column} not like {value})",
)


class Statement(NamedTuple):
    """SQL; the identifiers whose values are its lists; its texts. `texts_first` is about their order in the SQL."""

    sql: str
    lists: tuple[str, ...]
    texts: tuple[str, ...]
    texts_first: bool = False


class Statements:
    """The statements for one table and the tables it goes through (`chain`), by identifier."""

    def __init__(self, dialect: Dialect, chain: Sequence[Table], types: Mapping[str, str]) -> None:
        """`types`: the SQL type of each key column of the last table of the chain, by identifier."""
        self._dialect = dialect
        self._chain = chain
        self._types = types
        self.table = chain[0]
        self.identifiers = tuple(chain[-1].key_columns)

    def ignores_case(self, identifier: str) -> bool:
        """Whether large and small letters are the same in this identifier's column."""
        return identifier in self._chain[-1].ignore_case and self._types[identifier].startswith("text")

    def count(self, identifier: str, residue_only: bool) -> Statement:
        """Value, how many rows, and the newest date that `keep` counts from. Rows found by an earlier identifier are
        left out, so that none is counted twice. `residue_only`: only rows that something is left to erase in."""
        earlier = self.identifiers[: self.identifiers.index(identifier)]
        values = (identifier, *earlier)
        where = [self._matches(identifier, 1)]
        where += [f"not coalesce({self._matches(one, 2 + place)}, false)" for place, one in enumerate(earlier)]
        texts: list[str] = []
        if residue_only and self.table.columns:
            residue, texts = self._residue("t0", 1 + len(values))
            where.append(residue)
        elif residue_only and self.table.keep:
            where.append(self._expired("t0"))
        keep = self.table.keep
        newest = f"max(t0.{self._name(keep.since)})" if keep and keep.since else "null"
        sql = (
            f"select {self._as_text(self._key(identifier))}, count(*), {newest} from {self._source()} "
            f"where {' and '.join(where)} group by 1"
        )
        return Statement(sql, values, tuple(texts))

    def erase(self, identifier: str) -> Statement | None:
        """Delete or change the rows of these values; None where all is kept for as long as anybody knows."""
        table = self.table
        if table.columns:
            return self._update(identifier)
        if table.keep and table.keep.years is None:
            return None
        where = self._owned(identifier)
        if table.keep:
            where += f" and {self._expired(self._table(table))}"
        return Statement(f"delete from {self._table(table)} where {where}", (identifier,), ())

    def _update(self, identifier: str) -> Statement | None:
        table = self.table
        changed = {name: column for name, column in table.columns.items() if column.keep is None}
        if not changed:
            return None
        number, sets, texts = 2, [], []
        for name, column in changed.items():
            if column.anonymise is None:
                sets.append(f"{self._name(name)} = null")
                continue
            value = self._dialect.text(number)
            number += 1
            texts.append(column.anonymise)
            is_random = RANDOM in column.anonymise
            sets.append(f"{self._name(name)} = {self._dialect.random.format(value=value) if is_random else value}")
        residue, more = self._residue(self._table(table), number)
        sql = f"update {self._table(table)} set {', '.join(sets)} where {residue} and {self._owned(identifier)}"
        return Statement(sql, (identifier,), (*texts, *more), texts_first=True)

    def _residue(self, alias: str, number: int) -> tuple[str, list[str]]:
        """Whether something of a row that stays is not erased yet."""
        left, texts = ["false"], list[str]()
        for name, column in self.table.columns.items():
            place = f"{alias}.{self._name(name)}"
            if column.delete:
                left.append(f"{place} is not null")
            elif column.anonymise is not None:
                is_random = RANDOM in column.anonymise
                form = self._dialect.random_pattern if is_random else self._dialect.differs
                left.append(form.format(column=place, value=self._dialect.text(number)))
                texts.append(_pattern(column.anonymise) if is_random else column.anonymise)
                number += 1
        return f"({' or '.join(left)})", texts

    def _expired(self, alias: str) -> str:
        keep = self.table.keep
        if keep is None or keep.since is None:
            return "false"
        return self._dialect.older_than_years.format(column=f"{alias}.{self._name(keep.since)}", years=keep.years)

    def _owned(self, identifier: str) -> str:
        """Rows of the table itself, in a statement that changes it."""
        if len(self._chain) == 1:
            return self._condition(self._table(self.table), identifier, 1)
        inner = self._matches(identifier, 1)
        joins = [f"{self._table(self._chain[1])} t1"]
        joins += [self._join(place) for place in range(2, len(self._chain))]
        first = self.table.through
        assert first is not None
        return (
            f"{self._table(self.table)}.{self._name(first.column)} in (select t1.{self._name(first.references)} "
            f"from {' '.join(joins)} where {inner})"
        )

    def _source(self) -> str:
        joins = [self._join(place) for place in range(1, len(self._chain))]
        return " ".join([f"{self._table(self.table)} t0", *joins])

    def _join(self, place: int) -> str:
        through = self._chain[place - 1].through
        assert through is not None
        return (
            f"join {self._table(self._chain[place])} t{place} on t{place - 1}.{self._name(through.column)} "
            f"= t{place}.{self._name(through.references)}"
        )

    def _matches(self, identifier: str, number: int) -> str:
        return self._condition(f"t{len(self._chain) - 1}", identifier, number)

    def _condition(self, alias: str, identifier: str, number: int) -> str:
        column, type_ = self._column(identifier, alias), self._types[identifier]
        return self._dialect.matches(column, number, type_, self.ignores_case(identifier))

    def _key(self, identifier: str) -> str:
        column = self._column(identifier, f"t{len(self._chain) - 1}")
        return f"lower({column})" if self.ignores_case(identifier) else column

    def _column(self, identifier: str, alias: str) -> str:
        return f"{alias}.{self._name(self._chain[-1].key_columns[identifier])}"

    def _as_text(self, expression: str) -> str:
        return f"cast({expression} as char(400))" if self._dialect is MYSQL else f"{expression}::text"

    def _table(self, table: Table) -> str:
        return ".".join(self._name(part) for part in table.table.split("."))

    def _name(self, name: str) -> str:
        return f"{self._dialect.quote}{name}{self._dialect.quote}"


def _pattern(template: str) -> str:
    """What a random pseudonym looks like, for LIKE."""
    escaped = template.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace(RANDOM, "%")
