"""What the bench writes down: medians, and how far the rounds lay apart."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from bench import latency, options, report
from bench.keys import Rotated
from bench.latency import Latency
from bench.mails import BARE, LETHE, Mailed
from bench.throughput import Measured, Soak

NAMES = (
    "lethe",
    "raw_loop_pipelined",
    "plain_at_least_once",
    "tuned_faststream",
    "naive_faust",
    "naive_faststream",
)


@pytest.fixture
def results() -> report.Results:
    made = report.Results(options.parse([]))
    for number, name in enumerate(NAMES, 1):
        made.measured[name] = [Measured(rate / number, rate / 100, 40.0) for rate in (9000, 30000, 12000)]
    for name in NAMES[:2]:
        made.latencies[name] = [Latency(20.0, 55.0, 90.0, 0.5), Latency(22.0, 65.0, 80.0, 2.5)]
    made.soak = Soak(1_000_000, 20_000.0, 110.0, 112.0, 130.0)
    return made


def test_the_median_of_the_rounds_is_quoted_and_the_spread_beside_it(results: report.Results) -> None:
    content = report.to_json(results)
    assert content["orders_per_s"] == dict(zip(NAMES, (12000, 6000, 4000, 3000, 2400, 2000), strict=True))
    assert content["spread"]["lethe"] == [9000, 30000]
    assert content["ratios"] == {"lethe_to_raw_loop_pipelined": 2.0, "lethe_to_naive_faust": 5.0}


def test_memory_is_the_highest_of_all_rounds(results: report.Results) -> None:
    assert report.to_json(results)["rss_mb"]["lethe"] == 300.0


def test_latency_is_the_median_of_the_rounds_but_the_worst_is_the_worst(results: report.Results) -> None:
    found = report.to_json(results)["latency_ms"]["lethe"]
    assert (found["p50"], found["p99"], found["worst"], found["producer_behind"]) == (21.0, 60.0, 90.0, 2.5)


def test_the_file_says_how_and_with_what_it_was_measured(results: report.Results, tmp_path: Path) -> None:
    report.write(results, tmp_path / "results.json")
    run = json.loads((tmp_path / "results.json").read_text())["run"]
    assert {"date", "cores", "python", "orders", "rounds", "versions"} <= run.keys()
    assert {"kafka", "aiokafka", "asyncpg", "faststream"} <= run["versions"].keys()


def test_the_tables_name_every_contender(results: report.Results) -> None:
    written = io.StringIO()
    report.show(results, Console(file=written, width=120))
    text = written.getvalue()
    assert all(name in text for name in NAMES)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)])
def test_a_quantile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert latency.quantile([float(number) for number in range(1, 101)], share) == expected


def test_a_rotation_says_what_the_worker_did_meanwhile(results: report.Results) -> None:
    assert "key_rotation" not in report.to_json(results)
    results.rotated = Rotated(1_000_000, 21.04, 998.2, 1000.0)
    found = report.to_json(results)["key_rotation"]
    assert found == {"subjects": 1_000_000, "seconds": 21.0, "orders_per_s": 998.2, "offered_per_s": 1000.0}
    written = io.StringIO()
    report.show(results, Console(file=written, width=200))
    assert "1,000,000 subjects: 21.0 s, with 998 orders/s of 1,000 applied meanwhile" in written.getvalue()


def test_a_quick_run_does_not_overwrite_the_real_results() -> None:
    assert options.parse(["--quick"]).results != options.parse([]).results


@pytest.mark.parametrize("arguments", [["--orders", "5"], ["--rounds", "0"], ["--latency", "-1"]])
def test_numbers_that_measure_nothing_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        options.parse(arguments)


def test_memory_over_many_mails_is_told_by_itself_too(results: report.Results) -> None:
    results.options = options.parse(["--mails", "0", "--mails-soak", "1000000"])
    results.mail_soak = Mailed(650.0, 600.0, 50.0, 90.0, 91.0, 92.0)
    content = report.to_json(results)
    assert "mails_per_s" not in content
    assert (content["mails"]["soak"]["mails"], content["mails"]["soak"]["peak_mb"]) == (1_000_000, 92.0)


def test_mails_are_quoted_beside_the_bare_loop(results: report.Results) -> None:
    assert "mails_per_s" not in report.to_json(results), "nothing is said about what was not measured"
    for name, factor in ((LETHE, 1), (BARE, 2)):
        results.mailed[name] = [Mailed(rate * factor, 600.0, 50.0, 90.0, 91.0, 92.0) for rate in (900, 500, 700)]
    results.mail_soak = Mailed(650.0, 600.0, 50.0, 90.0, 91.0, 92.0)
    content = report.to_json(results)
    assert content["mails_per_s"] == {"lethe": 700, "bare_aiosmtplib": 1400}
    assert content["mails"]["lethe_to_bare_aiosmtplib"] == 0.5
    assert content["mails"]["spread"]["lethe"] == [500, 900]
    assert content["mails"]["soak"]["last_quarter_mb"] == 91.0
    console = Console(file=io.StringIO(), width=120)
    report.show(results, console)
    assert "lethe / bare aiosmtplib: 0.50" in console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
