"""The demo's account of what happened, for reading: tables only, nothing is worked out here but counts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from workers.cli.demo.carrier import Received
from workers.cli.demo.checks import Check
from workers.domain.carriers import Carrier
from workers.engine.dead_letters import DeadLetter

_BLOCKS = " ▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 60
_LEFT_OUT = "[dim italic]left out[/dim italic]"


def deliveries(received: Iterable[Received], carriers: Mapping[str, Carrier]) -> RenderableType:
    """What each carrier read, by kind, and the countries that its addresses are in."""
    drawn = table("carrier", ">assigned", ">corrected", ">withdrawn", "countries")
    got = list(received)
    for name, carrier in carriers.items():
        own = [one for one in got if one.carrier == name]
        if not own:
            continue
        kinds = Counter(one.event_type.removeprefix("address.") for one in own)
        countries = sorted({one.address["country_code"] for one in own if one.address is not None})
        counts = [str(kinds[kind]) for kind in ("assigned", "corrected", "withdrawn")]
        drawn.add_row(carrier.title, *counts, f"{len(countries)}: {' '.join(countries)}")
    return Group("[bold]What the carriers read[/bold]", drawn)


def side_by_side(order: Mapping[str, Any], address: Mapping[str, str], carrier: Carrier) -> RenderableType:
    """One order and the address that it became; what did not leave is marked."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("field", "in the order", f"at {carrier.title}"):
        table.add_column(heading, overflow="fold")
    fields = dict(_fields(order))
    moved = {value: name for name, value in address.items() if name not in fields}
    for name, value in fields.items():
        if name in address:
            table.add_row(name, value, address[name])
        elif value in moved:
            table.add_row(name, value, f"[dim]is in {moved[value]}[/dim]")
        else:
            table.add_row(name, value, _LEFT_OUT, style="yellow")
    for value, name in moved.items():
        table.add_row(name, "", value)
    return Group("[bold]One order, and the address it became[/bold] (an invented person)", table)


def refusals(letters: Iterable[DeadLetter]) -> RenderableType:
    """What was refused: why, how often, in the words that a clerk reads."""
    drawn = table(">events", "code and field", "reason of the first one")
    by_code: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        by_code.setdefault(letter.code, []).append(letter)
    for code, same in sorted(by_code.items()):
        where = f"\n[dim]{escape(same[0].field)}[/dim]" if same[0].field else ""
        drawn.add_row(str(len(same)), f"{code}{where}", escape(same[0].reason))
    return Group("[bold]What was refused[/bold], parked with its reason while the rest went on", drawn)


def lag(samples: Sequence[tuple[float, int]]) -> RenderableType:
    """How many events waited, over the seconds since publishing began."""
    if not samples:
        return "[bold]Lag[/bold]: none was seen"
    most, end_s = max(count for _, count in samples), samples[-1][0]
    line = sparkline([count for _, count in samples], _SPARK_WIDTH)
    return f"[bold]Lag[/bold] over {end_s:.1f} s (at most {most} events waiting): |[cyan]{line}[/cyan]|"


def sparkline(values: Sequence[int], width: int) -> str:
    """At most `width` characters; each is the highest of its share of the values, any value above 0 shows."""
    columns = min(width, len(values))
    shares = [
        max(values[number * len(values) // columns : (number + 1) * len(values) // columns])
        for number in range(columns)
    ]
    most = max(shares, default=0) or 1
    return "".join(_BLOCKS[-(-value * (len(_BLOCKS) - 1) // most)] for value in shares)


def timings(steps: Iterable[tuple[str, float]], total_s: float) -> RenderableType:
    """Wall time by step."""
    drawn = table(">seconds", "step")
    for name, seconds in steps:
        drawn.add_row(f"{seconds:.1f}", name)
    drawn.add_row(f"[bold]{total_s:.1f}[/bold]", "[bold]all together[/bold]")
    return Group("[bold]Wall time[/bold]", drawn)


def verdict(checks: Sequence[Check]) -> RenderableType:
    """Each claim with its answer."""
    lines = [
        f"[red]NO[/red]   {check.claim}: {check.problem}" if check.problem else f"[green]yes[/green]  {check.claim}"
        for check in checks
    ]
    return Panel("\n".join(lines), title="Checked against carriers, mailboxes, stores and the disk", title_align="left")


def table(*headings: str) -> Table:
    """An empty table; a heading that begins with > is of numbers."""
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        right = heading.startswith(">")
        drawn.add_column(heading.lstrip(">"), justify="right" if right else "left", no_wrap=right, overflow="fold")
    return drawn


def _fields(order: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The order's fields under the names that carriers know them by."""
    ship_to = dict(order["ship_to"])
    lines = [(f"line{number}", line) for number, line in enumerate(ship_to.pop("lines"), 1)]
    head = [(name, str(ship_to.pop(name))) for name in ("name", "company") if name in ship_to]
    return [
        *head,
        *lines,
        *((name, str(value)) for name, value in ship_to.items()),
        ("customer_ref", order["customer_ref"]),
    ]
