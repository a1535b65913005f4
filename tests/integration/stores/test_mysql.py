"""What is particular to a MySQL or MariaDB store: collations, foreign keys, files that do not fit."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stores.conftest import KINDS
from tests.support import stores
from tests.support.sites import mysql
from tests.support.sites.mysql import MysqlSite
from tests.support.sites.postgresql import OPTIONS
from tests.support.stores import Customer, Desk, customers, desk
from workers.stores import connectors
from workers.stores.connector import Misconfigured

if "mysql" in KINDS:  # elsewhere no package brings the server
    ADA, BO, CY = customers(3)
    ACCENT = Customer("Pérson1@example.org", "c-77", ())

    @pytest.fixture
    async def shop(tmp_path: Path) -> AsyncIterator[MysqlSite]:
        async with mysql.site(tmp_path) as made:
            yield made

    @pytest.fixture
    async def at(database: str, tmp_path: Path, shop: MysqlSite) -> AsyncIterator[Desk]:
        async with desk(database, tmp_path, shop.store) as made:
            yield made

    async def test_who_is_alike_in_the_collation_is_another(shop: MysqlSite, at: Desk) -> None:
        """`utf8mb4_general_ci` takes é for e, and `in` would erase both."""
        await shop.plant([ADA, BO, ACCENT._replace(order_ids=("999",))])
        alike = await shop.run("select count(*) from customers where email = %s", ADA.email)
        assert alike == [(2,)]
        assert [one.outcome for one in await at.ask(shop.store, "erase", [ADA])] == ["erased"]
        left = await shop.run("select email from customers order by 1")
        assert sorted(email for (email,) in left) == [BO.email.upper(), ACCENT.email.upper()]
        assert [one.outcome for one in await at.ask(shop.store, "verify", [ADA, BO, ACCENT])] == [
            "absent", "present", "present",
        ]  # fmt: skip

    async def test_who_cannot_be_erased_fails_alone(shop: MysqlSite, at: Desk) -> None:
        await shop.plant([ADA, BO, CY])
        await shop.run(
            "create table repairs (order_id integer, constraint of_order foreign key (order_id) references orders "
            "(order_id)); insert into repairs values (201)"
        )
        results = await at.ask(shop.store, "erase", [ADA, BO, CY])
        assert [one.outcome for one in results] == ["erased", "failed", "erased"]
        assert results[1].reason == "the database refuses it: IntegrityError 1451 (of_order)"

    async def test_columns_that_stay_and_rows_that_the_law_keeps(shop: MysqlSite, at: Desk) -> None:
        await shop.run(
            "create table invoices (email varchar(99), name text, issued_on date);"
            "insert into invoices values ('Person1@example.org', 'Ada', current_date - interval 2 year),"
            "('Person1@example.org', 'Ada', current_date - interval 12 year)"
        )
        await shop.plant([ADA])
        keep = {"ground": "Code de commerce L123-22", "years": 10, "since": "issued_on"}
        columns = {"email": {"anonymise": "{random}@invalid"}, "phone": {"delete": True}}
        shop.store = stores.store("mysql", name="shop", options={**OPTIONS, "dsn": f"env:{mysql.VARIABLE}", "tables": [
            {"table": "invoices", "keys": {"email": "email"}, "keep": keep},
            {"table": "customers", "keys": {"customer_ref": "ref"}, "columns": columns},
        ]})  # fmt: skip
        (result,) = await at.ask(shop.store, "erase", [ADA])
        assert (result.outcome, result.counts) == ("kept", {"invoices": 1, "customers": 1})
        ((email, phone),) = await shop.run("select email, phone from customers")
        assert email.endswith("@invalid")
        assert phone is None
        assert [one.outcome for one in await at.ask(shop.store, "verify", [ADA])] == ["kept"]

    @pytest.mark.parametrize(
        ("tables", "message"),
        [
            ([{"table": "clients", "keys": {"email": "email"}}], "no table clients"),
            ([{"table": "visits", "keys": {"email": "mail"}}], "no column mail"),
            (
                [{"table": "visits", "keys": {"email": "page"}}],
                None,
            ),
        ],
    )
    async def test_the_check_names_what_is_wrong(
        shop: MysqlSite, tables: list[dict[str, Any]], message: str | None
    ) -> None:
        options = {**OPTIONS, "dsn": f"env:{mysql.VARIABLE}", "tables": tables}
        connector = connectors.connect(stores.store("mysql", options), stores.AROUND)
        if message is None:
            assert "no index begins with visits.page:" in "\n".join(await connector.check())
        else:
            with pytest.raises(Misconfigured, match=message):
                await connector.check()


def test_a_wrong_url_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.stores.mysql import _arguments
    from workers.stores.tables import SqlOptions

    monkeypatch.setenv("WRONG", "mysql//root:hunter2@x")
    options = SqlOptions.model_validate({**OPTIONS, "dsn": "env:WRONG"})
    with pytest.raises(Misconfigured, match="is not a URL") as refused:
        _arguments(options)
    assert "hunter2" not in str(refused.value)
