"""A file of events is checked as a worker checks it: line, field, plain words, and never a value."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from workers import carriers, purposes
from workers.cli import app as lethe
from workers.cli.events.event_file import Checker, Line, Problem
from workers.settings import Settings

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CARRIERS = carriers.load(Path("deploy/carriers"))
PURPOSES = purposes.load(Path("deploy/purposes.yaml"))
SHIP_TO = {
    "name": "Erika Beispiel",
    "lines": ["Hauptstraße 12"],
    "city": "Köln",
    "postal_code": "50667",
    "country_code": "DE",
}


def event(number: int = 1, data: dict[str, Any] | None = None, **attributes: Any) -> bytes:
    body = {"order_id": f"o{number}", "customer_ref": f"c{number}", "carrier": "ups", "ship_to": SHIP_TO}
    whole = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "/shop",
        "type": "order.placed",
        "time": "2026-03-01T12:00:00Z",
        "data": {**body, **(data or {})},
        **attributes,
    }
    return json.dumps(whole, ensure_ascii=False).encode() + b"\n"


def check(*lines: bytes) -> list[Line]:
    return list(Checker(Settings(), CARRIERS, PURPOSES, NOW).check(lines))


def problem(line: bytes) -> Problem:
    (found,) = check(line)[0].problems
    return found


def test_a_good_event_becomes_a_record_keyed_by_the_customer() -> None:
    (line,) = check(event(7))
    assert line.problems == ()
    assert line.record is not None
    assert line.record.key == b"c7"
    assert dict(line.record.headers)["ce_type"] == b"order.placed"
    assert json.loads(line.record.value)["order_id"] == "o7"


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        (b'{"specversion"', "", "invalid_json"),
        (event(time=None), "time", "header_missing"),
        (event(time="1999-01-01T00:00:00Z"), "time", "time_implausible"),
        (event(type="order.exploded"), "type", "type_unknown"),
        (event(data={"customer_ref": "erika@example.com"}), "data.customer_ref", "invalid_field"),
        (event(data={"carrier": "pigeon-post"}), "data.carrier", "unknown_carrier"),
        (event(data={"note": "4111 1111 1111 1111"}), "data.note", "card_data"),
        (event(data={"ship_to": {**SHIP_TO, "name": "E" * 60}}), "data.ship_to.name", "address_too_long"),
        (event(data={"ship_to": {**SHIP_TO, "postal_code": None}}), "data.ship_to.postal_code", "address_incomplete"),
    ],
)
def test_what_is_wrong_is_named_by_line_field_and_code(line: bytes, field: str, code: str) -> None:
    found = problem(line)
    assert (found.line, found.field, found.code) == (1, field, code)


def test_every_wrong_field_is_named_not_only_the_first_one() -> None:
    (line,) = check(event(data={"ship_to": {"lines": [], "country_code": "XX"}}))
    assert {one.field for one in line.problems} == {
        "data.ship_to.name",
        "data.ship_to.lines",
        "data.ship_to.country_code",
    }


def test_blank_lines_count_but_are_no_events() -> None:
    lines = check(event(1), b"\n", b"{\n")
    assert [line.number for line in lines] == [1, 3]


def test_an_event_that_would_be_ignored_as_a_repetition_is_a_problem() -> None:
    first, second = check(event(1), event(1, data={"order_id": "another"}))
    assert first.problems == ()
    assert (second.problems[0].field, second.problems[0].code) == ("id", "repeated_id")


def test_a_later_change_is_held_against_the_carrier_that_the_order_named() -> None:
    longer = {"ship_to": {**SHIP_TO, "name": "E" * 60}, "carrier": None}
    _, changed = check(event(1), event(1, id="e2", type="order.address_changed", data=longer))
    assert changed.problems[0].code == "address_too_long"


def test_no_value_is_ever_part_of_a_problem() -> None:
    lines = check(event(data={"carrier": "Zwiebelbote"}), event(2, data={"ship_to": {"name": 1, "lines": "Gasse 9"}}))
    said = " ".join(one.reason + one.field for line in lines for one in line.problems)
    assert "Zwiebelbote" not in said
    assert "Gasse" not in said


def test_validate_prints_one_line_per_problem_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(event(1) + event(2, time="2026-03-01T12:00:00Z", data={"carrier": "pigeon-post"}))
    result = CliRunner().invoke(lethe.app, ["validate", str(file)])
    assert result.exit_code == 1
    assert result.stderr.startswith("line 2, data.carrier: ")
    assert result.stdout == "2 events: 1 good, 1 bad\n"


def test_publish_publishes_nothing_of_a_file_with_a_bad_event(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"{\n")
    result = CliRunner().invoke(lethe.app, ["publish", str(file)])
    assert result.exit_code == 1
    assert "nothing was published" in result.stderr


def consent(kind: str = "given", **data: Any) -> bytes:
    body: dict[str, Any] = {"customer_ref": "c1", "email": "erika@example.com", "purpose": "newsletter"}
    if kind == "given":
        body |= {"privacy_notice": "1", "language": "en", "collection_method": "web_form", "evidence": {}}
    whole = {**json.loads(event(9)), "type": f"consent.{kind}", "data": {**body, **data}}
    return json.dumps(whole).encode()


def test_events_of_consent_go_to_their_own_topic() -> None:
    order, given, withdrawn = check(event(), consent(), consent("withdrawn", purpose="*").replace(b'"e9"', b'"e10"'))
    assert [line.topic for line in (order, given, withdrawn)] == ["orders", "consents", "consents"]
    assert given.record is not None
    assert given.record.key == b"c1"


@pytest.mark.parametrize(
    ("line", "field", "code"),
    [
        (consent(email="a..b@example.com"), "data.email", "email_invalid"),
        (consent(purpose="astrology"), "data.purpose", "unknown_purpose"),
        (consent(privacy_notice=""), "data.privacy_notice", "invalid_field"),
        (event(type="dead_letter.parked"), "type", "type_unknown"),
    ],
)
def test_a_consent_is_refused_for_what_the_worker_would_refuse_it_for(line: bytes, field: str, code: str) -> None:
    assert problem(line)[1:3] == (field, code)
