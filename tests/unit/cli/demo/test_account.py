"""What the demo's account shows."""

from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from workers import carriers as carrier_files
from workers.cli.demo import account
from workers.cli.demo.checks import Check

CARRIERS = carrier_files.load(Path("deploy/carriers"))
ORDER = {
    "customer_ref": "c1",
    "ship_to": {
        "name": "Erika Beispiel",
        "lines": ["Gasse 1"],
        "dependent_locality": "Veedel",
        "email": "e@example.com",
    },
}


def text(shown: RenderableType) -> str:
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


def row(shown: str, field: str) -> str:
    return next(line for line in shown.splitlines() if line.strip().startswith(field))


@pytest.mark.parametrize(
    ("values", "line"),
    [([], ""), ([0, 0], "  "), ([0, 8, 4], " █▄"), ([1, 1000], "▁█"), ([5, 0, 5, 0], "█ █ ")],
)
def test_a_sparkline_shows_every_value_above_nothing(values: list[int], line: str) -> None:
    assert account.sparkline(values, 60) == line


def test_a_long_sparkline_keeps_its_peaks() -> None:
    assert account.sparkline([0] * 50 + [9] + [0] * 49, 10).count("█") == 1


def test_what_did_not_leave_is_marked_and_what_moved_is_not() -> None:
    address = {"name": "Erika B.", "line1": "Gasse 1", "line2": "Veedel"}
    shown = text(account.side_by_side(ORDER, address, CARRIERS["ups"]))
    assert "left out" in row(shown, "email")
    assert "left out" in row(shown, "customer_ref")
    assert "is in line2" in row(shown, "dependent_locality")
    assert "left out" not in row(shown, "name")


def test_the_verdict_says_which_claim_does_not_hold() -> None:
    shown = text(account.verdict([Check("all is well"), Check("nothing is lost", "3 are")]))
    assert "yes  all is well" in shown
    assert "NO   nothing is lost: 3 are" in shown
