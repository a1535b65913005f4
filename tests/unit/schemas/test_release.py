"""`python -m schemas`: what is released is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schemas import __main__ as command
from schemas import jsonschema, registry, release


@pytest.fixture
def released(tmp_path: Path) -> Path:
    release.publish(tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_what_was_just_released_breaks_nothing(released: Path) -> None:
    assert release.broken(released) == []
    assert release.unreleased(released) == []
    assert release.publish(released) == []


def test_a_breaking_difference_is_one_line_with_event_field_and_name(released: Path) -> None:
    change(released / "order.placed.v1.schema.json", '"maxLength": 16', '"maxLength": 20')
    assert release.broken(released) == ["order.placed v1: ship_to.postal_code: max_length_decreased: from 20 to 16"]


def test_an_emitted_event_is_compared_for_its_readers(released: Path) -> None:
    change(released / "address.assigned.v1.schema.json", '"maxLength": 16', '"maxLength": 10')
    assert release.broken(released) == ["address.assigned v1: address.postal_code: max_length_increased: from 10 to 16"]


def test_an_event_that_is_gone_breaks(released: Path) -> None:
    (released / "order.returned.v1.schema.json").write_text(json.dumps({}), "utf-8")
    assert release.broken(released) == ["order.returned.v1: event_removed: it is released"]


def test_an_event_that_is_new_does_not_break(released: Path) -> None:
    (released / "order.ready.v1.schema.json").unlink()
    assert release.broken(released) == []
    assert release.unreleased(released) == [registry.EVENTS["order.ready", 1]]


def test_the_check_fails_with_readable_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "order.placed v1: carrier: field_removed: the field is gone"
    monkeypatch.setattr(release, "broken", lambda: [line])
    assert command.main(["check"]) == 1
    assert line in capsys.readouterr().err


def test_a_release_that_breaks_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(release, "broken", lambda: ["order.placed v1: carrier: field_removed: the field is gone"])
    monkeypatch.setattr(release, "publish", lambda: pytest.fail("it must not be written"))
    assert command.main(["release"]) == 1
    assert "Not released" in capsys.readouterr().err


def test_writing_repairs_what_is_stale_and_removes_what_belongs_to_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jsonschema, "GENERATED", tmp_path)
    orphan = tmp_path / "order.returned.v1.producer.schema.json"
    orphan.write_text("{}", "utf-8")
    assert command.main(["check"]) == 1
    assert "order.placed.v1.reader.schema.json: out of date" in capsys.readouterr().err
    assert command.main(["write"]) == 0
    assert jsonschema.stale() == []
    assert not orphan.exists()
    assert len(list(tmp_path.iterdir())) == 2 * len(registry.EVENTS)
