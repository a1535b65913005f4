"""What is particular to a PostgreSQL store: columns, legal grounds, foreign keys, one bad row among many people."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support import stores
from tests.support.endpoints import Endpoints
from tests.support.sites import postgresql
from tests.support.sites.postgresql import OPTIONS, PostgresqlSite
from tests.support.stores import Desk, customers, desk, task
from workers.stores import connectors, jwe
from workers.stores.connector import Misconfigured, Person

ADA, BO, CY = customers(3)
GROUND = "Code de commerce L123-22"
INVOICES = """
create table invoices (invoice_id serial, email text, issued_on date);
insert into invoices (email, issued_on) values
    ('person1@example.org', current_date - interval '2 years'),
    ('person1@example.org', current_date - interval '11 years'),
    ('person2@example.org', current_date - interval '11 years'), ('person3@example.org', null);
"""
TODAY = datetime.now(UTC).date()


@pytest.fixture
async def shop(stack: Endpoints, tmp_path: Path) -> AsyncIterator[PostgresqlSite]:
    async with AsyncExitStack() as resources:
        name = f"shop{id(resources)}"
        dsn = stack.create_database(name)
        resources.callback(stack.drop_database, name)
        yield await resources.enter_async_context(postgresql.site(dsn))


@pytest.fixture
async def at(database: str, tmp_path: Path, shop: PostgresqlSite) -> AsyncIterator[Desk]:
    async with desk(database, tmp_path, shop.store) as made:
        yield made


def with_tables(shop: PostgresqlSite, *tables: dict[str, Any]) -> None:
    """Give the store another list of tables, before it is first used."""
    options = {**OPTIONS, "dsn": shop.store.options["dsn"], "tables": list(tables)}
    shop.store = stores.store("postgresql", options, name="webshop")


async def test_rows_that_the_law_keeps_stay_until_their_day(shop: PostgresqlSite, at: Desk) -> None:
    await shop.run(INVOICES)
    keep = {"ground": GROUND, "years": 10, "since": "issued_on"}
    with_tables(shop, {"table": "public.invoices", "keys": {"email": "email"}, "keep": keep})
    ada, bo, cy = await at.ask(shop.store, "erase", [ADA, BO, CY])
    assert (ada.outcome, ada.counts) == ("kept", {"invoices": 1}), "the older one is past its time and goes"
    issued = TODAY.replace(year=TODAY.year - 2)
    assert [(one.what, one.ground, one.until) for one in ada.kept] == [
        ("invoices", GROUND, issued.replace(year=issued.year + 10))
    ]
    assert (bo.outcome, bo.kept) == ("erased", ())
    assert (cy.outcome, cy.counts) == ("kept", {}), "nobody knows its date: it stays"
    assert [one.outcome for one in await at.ask(shop.store, "verify", [ADA, BO, CY])] == ["kept", "absent", "kept"]


async def test_columns_are_deleted_anonymised_or_kept(shop: PostgresqlSite, at: Desk) -> None:
    await shop.plant([ADA, BO])
    columns = {
        "ship_name": {"anonymise": "erased-{random}"},
        "note": {"delete": True},
        "total": {"keep": GROUND},
    }
    through = {"table": "customers", "column": "customer_id", "references": "customer_id"}
    with_tables(
        shop,
        {"table": "customers", "keys": {"customer_ref": "ref"}, "columns": {"email": {"anonymise": "nobody@invalid"},
                                                                            "phone": {"delete": True}}},
        {"table": "orders", "through": through, "columns": columns},
    )  # fmt: skip
    others = await shop.content([BO])
    (before,) = await at.ask(shop.store, "verify", [ADA])
    assert before.outcome == "present"
    (result,) = await at.ask(shop.store, "erase", [ADA])
    assert result.outcome == "kept"
    assert result.counts == {"customers": 1, "orders": 2}
    assert [(one.what, one.ground) for one in result.kept] == [("orders.total", GROUND)]
    assert await shop.rows("select email, phone from customers where ref = $1", ADA.customer_ref) == [
        ("nobody@invalid", None)
    ]
    rows = await shop.rows("select ship_name, note, total::float from orders where order_id in (101, 102)")
    assert len({name for name, _, _ in rows}) == 2, "a pseudonym of its own for each row"
    assert all(str(name).startswith("erased-") for name, _, _ in rows)
    assert [(note, total) for _, note, total in rows] == [(None, 9.99)] * 2
    assert [one.outcome for one in await at.ask(shop.store, "verify", [ADA, BO])] == ["kept", "present"]
    assert [one.counts for one in await at.ask(shop.store, "erase", [ADA])] == [{}], "a second time changes nothing"
    assert await shop.content([BO]) == others


async def test_who_cannot_be_erased_is_found_and_everybody_else_is_served(shop: PostgresqlSite, at: Desk) -> None:
    people = customers(40)
    await shop.plant(people)
    await shop.run(
        "create table repairs (order_id integer references orders);insert into repairs values (1701);"
    )  # a table that the store's file forgot
    results = await at.ask(shop.store, "erase", people)
    refused = [person for person, one in zip(people, results, strict=True) if one.outcome == "failed"]
    assert refused == [people[16]]
    assert {one.outcome for one in results} == {"erased", "failed"}
    assert results[16].reason == "the database refuses it: ForeignKeyViolationError (repairs_order_id_fkey)"
    assert len(await shop.rows("select * from customers")) == 1


async def test_a_row_of_two_identifiers_counts_once(shop: PostgresqlSite, at: Desk) -> None:
    await shop.plant([ADA])
    (result,) = await at.ask(shop.store, "find", [ADA])
    assert result.counts == {"customers": 1, "orders": 2, "order_lines": 2, "visits": 2}


async def test_a_value_of_the_wrong_type_finds_nothing(shop: PostgresqlSite, at: Desk) -> None:
    await shop.plant([ADA])
    with_tables(shop, {"table": "order_lines", "keys": {"order_id": "order_id"}})
    odd = ADA._replace(order_ids=("A-101", "1e2", "101\0", "9" * 30, "0101"))
    (result,) = await at.ask(shop.store, "find", [odd])
    assert (result.outcome, result.counts) == ("present", {"order_lines": 1}), "0101 is the number 101"


async def test_a_person_without_what_the_store_needs_is_not_called_absent(shop: PostgresqlSite, at: Desk) -> None:
    only_orders = ADA._replace(email="", customer_ref="")
    shop.store = shop.store.model_copy(update={"identifiers": ("email",)})
    given = task(shop.store, "verify", [BO])
    sealed = task(shop.store.model_copy(update={"identifiers": ("order_id",)}), "verify", [only_orders]).subjects
    given = given.model_copy(update={"subjects": (*given.subjects, *sealed)})
    await at.give(given)
    assert await at.runner.run_next(shop.store)
    receipt = (await at.receipts())[given.task_id]
    assert [one.outcome for one in receipt.results] == ["absent", "failed"]
    assert receipt.results[1].reason == "the task gives no email: this person cannot be looked for"


async def test_nobody_is_looked_for_by_a_blank(shop: PostgresqlSite, at: Desk) -> None:
    await shop.run("insert into customers (ref, email) values ('c-9', ''), ('c-8', ' ')")
    odd = ADA._replace(email="", customer_ref=" ")
    blank = task(shop.store, "erase", [BO])
    sealed = jwe.Sealer(shop.store.key or jwe.generate()).seal(
        {"email": ["", " "], "customer_ref": [odd.customer_ref, "c-1"]}
    )
    only = blank.subjects[0].model_copy(update={"identifiers": sealed})
    await at.give(blank := blank.model_copy(update={"subjects": (only,)}))
    assert await at.runner.run_next(shop.store)
    assert [one.outcome for one in (await at.receipts())[blank.task_id].results] == ["nothing_found"]
    assert len(await shop.rows("select * from customers")) == 2


async def test_what_was_sealed_to_another_store_is_not_called_absent(shop: PostgresqlSite, at: Desk) -> None:
    other = stores.store("postgresql", shop.store.options, name="webshop")
    await at.give(given := task(other, "verify", [ADA]))
    assert await at.runner.run_next(shop.store)
    (result,) = (await at.receipts())[given.task_id].results
    assert result.outcome == "failed"
    assert result.reason is not None
    assert "not sealed to this store's key" in result.reason


async def test_the_look_afterwards_cannot_change_anything(shop: PostgresqlSite) -> None:
    """A table that deletes what is looked at (through a rule, say) is refused by the transaction."""
    await shop.plant([ADA])
    connector = connectors.connect(shop.store, stores.AROUND)
    await shop.run(
        "create function sly(text) returns text language sql as 'delete from visits; select $1';"
        "alter table customers rename to c;"
        "create view customers as select customer_id, ref, sly(email) as email from c"
    )
    with pytest.raises(Misconfigured):
        await connector.find([Person(task(shop.store, "find", [ADA]).subjects[0].subject_ref, {"email": ("x",)})])
    assert len(await shop.rows("select * from visits")) == 2
    await connector.close()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([{"table": "clients", "keys": {"email": "email"}}], "has no table clients"),
        ([{"table": "visits", "keys": {"email": "mail"}}], "visits has no column mail"),
        ([{"table": "visits", "keys": {"email": "email"}, "columns": {"pages": {"delete": True}}}], "no column pages"),
        ([{"table": "orders", "keys": {"email": "total"}}], None),
    ],
)
async def test_the_check_names_what_the_file_has_wrong(
    shop: PostgresqlSite, tables: list[dict[str, Any]], message: str | None
) -> None:
    with_tables(shop, *tables)
    connector = connectors.connect(shop.store, stores.AROUND)
    if message is None:
        assert "no index begins with orders.total" in "\n".join(await connector.check())
    else:
        with pytest.raises(Misconfigured, match=message):
            await connector.check()
    await connector.close()


async def test_who_refers_to_another_comes_first(shop: PostgresqlSite) -> None:
    connector = connectors.connect(shop.store, stores.AROUND)
    (first, *_) = await connector.check()
    order = first.partition(": ")[2].split(", ")
    assert order.index("order_lines") < order.index("orders") < order.index("customers")
    await connector.close()


async def test_the_secret_is_in_no_reason(shop: PostgresqlSite, at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_WRONG", "postgresql://lethe:hunter2@127.0.0.1:1/shop")
    shop.store = shop.store.model_copy(update={"options": {**shop.store.options, "dsn": "env:SHOP_WRONG"}})
    await at.give(given := task(shop.store, "erase", [ADA], respond_in_s=30))
    assert await at.runner.run_next(shop.store)
    at.now = at.clock() + timedelta(seconds=31)
    await at.runner.answer_for_the_late()
    (result,) = (await at.receipts())[given.task_id].results
    assert result.reason is not None
    assert "hunter2" not in result.reason
    assert "ConnectionRefusedError" in result.reason


def test_dates_of_leap_years() -> None:
    from workers.stores.tables import Keep

    assert Keep(ground=GROUND, years=10, since="day").until(date(2024, 2, 29)) == date(2034, 2, 28)
