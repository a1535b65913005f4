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
    calibrate: bool
    results: Path
    data_dir: Path


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
    add("--latency", type=int, metavar="SECONDS", help="per round; 0 leaves latency out (20)")
    add("--latency-rounds", type=int, help="(2)")
    add("--soak", type=int, metavar="ORDERS", help="memory over so many orders; 0 leaves it out (1000000)")
    add("--mails", type=int, help="per round; 0 leaves mails out (20000)")
    add("--mails-soak", type=int, metavar="MAILS", help="memory over so many mails; 0 leaves it out (200000)")
    add("--rotation", type=int, metavar="SUBJECTS", help="a key rotation over so many; 0 leaves it out (1000000)")
    add("--erasures", type=int, metavar="PEOPLE", help="persons erased over four stores; 0 leaves it out (10000)")
    add("--results", type=Path, help="(bench/results.json; of a quick run: quick.json in the data directory)")
    add(
        "--data-dir",
        type=Path,
        default=Path(".lethe"),
        help="where the servers keep their data (%(default)s)",
    )
    given = parser.parse_args(arguments)
    usual = (
        (5_000, 300, 1, 3, 1, 0, 2_000, 0, 20_000, 200)
        if given.quick
        else (100_000, 2_000, 3, 20, 2, 1_000_000, 20_000, 200_000, 1_000_000, 10_000)
    )
    named = (
        given.orders, given.naive_orders, given.rounds, given.latency, given.latency_rounds, given.soak, given.mails,
        given.mails_soak, given.rotation, given.erasures,
    )  # fmt: skip
    orders, naive_orders, rounds, latency_s, latency_rounds, soak_orders, mails, mails_soak, rotation, erasures = (
        usually if value is None else value for value, usually in zip(named, usual, strict=True)
    )
    if (
        min(orders, naive_orders) < SMALLEST
        or rounds < 1
        or min(latency_s, latency_rounds, soak_orders, mails, mails_soak, rotation, erasures) < 0
    ):
        parser.error(f"at least {SMALLEST} orders and one round, and nothing below 0")
    results = given.results or (given.data_dir / "quick.json" if given.quick else Path("bench/results.json"))
    return Options(
        orders, naive_orders, rounds, latency_s, latency_rounds, soak_orders, mails, mails_soak, rotation, erasures,
        not given.quick, results, given.data_dir,
    )  # fmt: skip
