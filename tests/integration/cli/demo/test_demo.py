"""`lethe demo` on a stack of its own: it ends well, and with an error where an erasure has left something behind."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from workers.cli import app
from workers.cli.demo import erasure, shop_database, shop_exports
from workers.settings import Settings


def demo(monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner().invoke(app.app, ["demo", "--orders", "40", "--readers", "3"])


@pytest.mark.timeout(600)
def test_a_person_is_erased_everywhere_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    done = demo(monkeypatch)
    assert done.exit_code == 0, done.output
    assert "All of it holds." in done.output
    for claim in (
        "all three stores held her, and hold her no more",
        "the certificate is complete; signature and chain hold, and an altered copy is found out",
        "before, the scan found her name, street, e-mail, phone and number on the disk",
        "afterwards the scan finds nothing of hers, in any file",
        "Konrad Quendelbach is untouched: rows, subscription, address at the carriers",
    ):
        assert f"yes  {claim}" in done.output


@pytest.mark.timeout(600)
def test_a_store_that_lies_and_one_that_is_not_cleaned_up_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    described = shop_exports.description

    def looks_elsewhere(folder: Path) -> dict[str, Any]:
        """The file names the wrong column: the store finds nobody, says so, and the certificate believes it."""
        found = described(folder)
        found["options"]["files"][0]["keys"] = {"email": "Ref"}
        return found

    async def forgets(settings: Settings) -> None:
        """No vacuum."""

    monkeypatch.setattr(shop_exports, "description", looks_elsewhere)
    monkeypatch.setattr(shop_database, "clean_up", forgets)
    monkeypatch.setattr(erasure, "_GONE_WITHIN_S", 10.0)
    done = demo(monkeypatch)
    assert done.exit_code == 1, done.output
    assert "yes  the certificate is complete" in done.output
    assert "exports still holds her in customers.csv" in done.output
    assert "in The shop's exports (a store)" in done.output
    assert "in PostgreSQL: the shop's database (a store)" in done.output
    assert "All of it holds." not in done.output
