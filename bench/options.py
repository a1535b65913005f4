"""What to measure, and how long."""

import argparse
from pathlib import Path
from typing import NamedTuple

from bench.source import SMALLEST


class Options(NamedTuple):
    """One run of the bench. Nothing of a part is measured where its number is 0."""

    orders: int
    naive_orders: int
    rounds: int
    latency_s: int
    latency_rounds: int
    soak_orders: int
    mails: int
    mails_soak: int
    rotation: int
    erasures: int
    bystanders: int
    calibrate: bool
    results: Path
    data_dir: Path


_USUAL = {
    "orders": 100_000, "naive_orders": 2_000, "rounds": 3, "latency_s": 20, "latency_rounds": 3,
    "soak_orders": 1_000_000, "mails": 20_000, "mails_soak": 200_000, "rotation": 1_000_000, "erasures": 10_000,
    "bystanders": 1_000_000,
}  # fmt: skip
_QUICK = {
    "orders": 5_000, "naive_orders": 300, "rounds": 1, "latency_s": 3, "latency_rounds": 1, "soak_orders": 0,
    "mails": 2_000, "mails_soak": 0, "rotation": 20_000, "erasures": 200, "bystanders": 1_000,
}  # fmt: skip


def parse(arguments: list[str] | None = None) -> Options:
    """From the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures Lethe beside other ways to do the same work, on real servers of its own.",
        epilog="Keep the machine quiet meanwhile. Example: python -m bench --orders 200000 --rounds 5",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="a smoke test: 5,000 orders, one round; proves nothing")
    add("--orders", type=int, help="per round, for the fast contenders (100000)")
    add("--naive-orders", type=int, help="per round, for the naive ones (2000)")
    add("--rounds", type=int, help="interleaved; the median is quoted (3)")
    add("--latency", dest="latency_s", type=int, metavar="SECONDS", help="per round; 0 leaves latency out (20)")
    add("--latency-rounds", type=int, help="(3)")
    add(
        "--soak",
        dest="soak_orders",
        type=int,
        metavar="ORDERS",
        help="memory over so many orders; 0 leaves it out (1000000)",
    )
    add("--mails", type=int, help="per round; 0 leaves mails out (20000)")
    add("--mails-soak", type=int, metavar="MAILS", help="memory over so many mails; 0 leaves it out (200000)")
    add("--rotation", type=int, metavar="SUBJECTS", help="a key rotation over so many; 0 leaves it out (1000000)")
    add("--erasures", type=int, metavar="PEOPLE", help="persons erased over four stores; 0 leaves it out (10000)")
    add("--bystanders", type=int, metavar="PEOPLE", help="others, in a second run of erasures (1000000)")
    add("--results", type=Path, help="(bench/results.json; of a quick run: quick.json in the data directory)")
    add(
        "--data-dir",
        type=Path,
        default=Path(".lethe"),
        help="where the servers keep their data (%(default)s)",
    )
    given = parser.parse_args(arguments)
    usual = _QUICK if given.quick else _USUAL
    numbers = {
        name: usually if getattr(given, name) is None else getattr(given, name) for name, usually in usual.items()
    }
    if min(numbers["orders"], numbers["naive_orders"]) < SMALLEST or numbers["rounds"] < 1 or min(numbers.values()) < 0:
        parser.error(f"at least {SMALLEST} orders and one round, and nothing below 0")
    results = given.results or (given.data_dir / "quick.json" if given.quick else Path("bench/results.json"))
    return Options(**numbers, calibrate=not given.quick, results=results, data_dir=given.data_dir)
