"""The SQL over a store's tables, as it is sent."""

from typing import Any

from workers.stores import mysql
from workers.stores.statements import MYSQL, POSTGRESQL, TEXT_OF_ANY_CASE, Dialect, Statements
from workers.stores.tables import Table, chain, children_first

CUSTOMERS = {"table": "shop.customers", "keys": {"email": "mail", "customer_ref": "ref"}}
ORDERS = {"table": "orders", "through": {"table": "shop.customers", "column": "customer", "references": "id"}}
TYPES = {"email": "text", "customer_ref": "bigint"}


def statements(dialect: Dialect, *tables: dict[str, Any], types: dict[str, str] | None = None) -> Statements:
    """Those of the first table."""
    made = [Table.model_validate(one) for one in tables]
    return Statements(dialect, chain(made[0], {one.table: one for one in made}), types or TYPES)


def test_rows_of_a_person_are_found_by_any_key_and_counted_once() -> None:
    made = statements(POSTGRESQL, CUSTOMERS)
    assert made.count("email", residue_only=True).sql == (
        'select lower(t1."mail")::text, count(*), null from "shop"."customers" t1 '
        'where lower(t1."mail") = any($1::text[]::text[]) group by 1'
    ).replace("t1", "t0")
    later = made.count("customer_ref", residue_only=True)
    assert later.lists == ("customer_ref", "email")
    assert later.sql.endswith(
        'where t0."ref" = any($1::text[]::bigint[]) and not coalesce(lower(t0."mail") = any($2::text[]::text[]), false)'
        " group by 1"
    )


def test_rows_that_belong_to_a_person_s_rows() -> None:
    erase = statements(POSTGRESQL, ORDERS, CUSTOMERS).erase("customer_ref")
    assert erase is not None
    assert erase.sql == (
        'delete from "orders" where "orders"."customer" in (select t1."id" from "shop"."customers" t1 '
        'where t1."ref" = any($1::text[]::bigint[]))'
    )


def test_mysql_s_parameters_stand_in_the_order_of_their_places() -> None:
    columns = {"name": {"anonymise": "x-{random}"}, "phone": {"delete": True}}
    made = statements(MYSQL, {**CUSTOMERS, "columns": columns}, types={**TYPES, "email": TEXT_OF_ANY_CASE})
    erase = made.erase("email")
    assert erase is not None
    text, parameters = mysql.expanded(erase, {"email": ["a@x", "b@x"]})
    assert text.count("%s") == len(parameters)
    assert parameters == ["x-{random}", "x-%", "a@x", "b@x", "a@x", "b@x"]
    text, parameters = mysql.expanded(made.count("customer_ref", True), {"customer_ref": ["7"], "email": []})
    assert "cast(%s as signed)" in text
    assert "in (null)" in text
    assert parameters == ["7", "x-%"]


def test_what_is_kept_for_good_is_not_deleted() -> None:
    assert statements(POSTGRESQL, {**CUSTOMERS, "keep": {"ground": "a law"}}).erase("email") is None


def test_a_name_cannot_leave_its_quotes() -> None:
    for name in ('a"b', "a`b", "a;b", "a b", ""):
        try:
            Table.model_validate({"table": name, "keys": {"email": "mail"}})
        except ValueError:
            continue
        raise AssertionError(name)


def test_children_come_first() -> None:
    made = [Table.model_validate({"table": name, "keys": {"email": "e"}}) for name in ("a", "b", "c")]
    ordered = children_first(made, [("b", "a"), ("c", "b"), ("a", "a")])
    assert [one.table for one in ordered] == ["c", "b", "a"]
