"""`lethe demo`: everything once, from nothing to a checked account."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from workers.errors import LetheError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from workers.cli.demo.checks import Check
    from workers.cli.demo.erasure import ErasureRun
    from workers.cli.demo.letters import MailRun
    from workers.cli.demo.run import Run
    from workers.cli.local.platform import LocalLethe
    from workers.cli.local.steps import Steps
    from workers.domain.carriers import Carrier

SHOP_CARRIERS = ("dhl-parcel-de", "dhl-express", "ups", "colissimo")


class Sizes(NamedTuple):
    """What is made up, and how much of it."""

    orders: int
    readers: int
    seed: int


def demo(
    orders: Annotated[int, typer.Option(min=1, max=100_000, help="How many orders to publish.")] = 2000,
    seed: Annotated[int, typer.Option(help="Another seed makes other orders; the same one the same.")] = 1,
    readers: Annotated[int, typer.Option(min=1, max=2000, help="How many customers agreed to the newsletter.")] = 1000,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the data directory; `lethe up --data-dir` opens it again.")
    ] = False,
) -> None:
    """Start everything in a fresh directory, run the main jobs, show what happened, stop.

    Publishes orders as a shop would (good ones, bad ones, some twice), reads each carrier's topic as that carrier
    would, checks that every order reached exactly one carrier exactly once. Then signs a visitor up, sends an issue to
    everybody who agreed and, once one has left by one click, the next. At last somebody asks to be erased, confirms by
    mail, and gets a certificate; every file is searched for them, before and after. Mails are kept, none is sent. Exits
    with 1 if something is not as promised.

    Example: lethe demo --orders 2000 --seed 1
    """
    from rich.console import Console

    from workers.cli.local.steps import Steps

    kept = _fresh(Path(".lethe") / f"demo-{seed}") if keep else None
    console = Console()
    steps = Steps(console)
    with tempfile.TemporaryDirectory(prefix="lethe-demo-", ignore_cleanup_errors=True) as scratch:
        data_dir = kept or Path(scratch)
        steps.say(
            f"Lethe's demo: {orders} orders from shop to carriers, two newsletter issues to {readers} readers, and a "
            f"person who is erased; on this machine only. Data: {data_dir.absolute()}"
        )
        checks = _run(data_dir, Sizes(orders, readers, seed), steps, console)
    if kept is not None:
        steps.say(f"Kept: lethe up --data-dir {kept}")
    if problems := [check for check in checks if check.problem]:
        raise LetheError(f"the demo failed: {'; '.join(f'{one.claim}: {one.problem}' for one in problems)}")
    steps.say(f"[bold green]All of it holds.[/bold green] {steps.elapsed_s:.1f} s in all.")


def _fresh(data_dir: Path) -> Path:
    """Raises UsageError where a demo was kept before: nobody could tell its orders from the new ones."""
    if data_dir.exists():
        raise UsageError(
            f"{data_dir} is from a demo before: look at it with `lethe up --data-dir {data_dir}`, remove it, or choose "
            "another --seed"
        )
    return data_dir


def _run(data_dir: Path, sizes: Sizes, steps: "Steps", console: "Console") -> "list[Check]":
    from workers import app
    from workers.cli.demo import account, erasure_account, erasure_checks, letter_account, letter_checks, shop
    from workers.cli.local.embedded import Ports
    from workers.cli.local.ending import Ending
    from workers.cli.local.platform import LocalLethe

    with Ending() as ending:
        shop.describe(data_dir.absolute(), data_dir / "stores")
        lethe = LocalLethe(data_dir, Ports.free(), steps, app.PROCESSES, alone=True)
        from deploy.local.failure import NotStarted

        try:
            try:
                lethe.start()
            except NotStarted as failure:
                steps.say(f"[yellow]!![/yellow]  {failure}. Once more, on other ports.")
                lethe.stop()
                lethe = LocalLethe(data_dir, Ports.free(), steps, app.PROCESSES, alone=True)
                lethe.start()
            run = _main_job(lethe, sizes, steps)
            mail_run = _letters(lethe, sizes, steps)
            erasure_run = _erasure(lethe, run, steps)
            _show(run, lethe, console)
            console.print(letter_account.letters(mail_run))
            console.print(erasure_account.erasure(erasure_run))
            checks = [*run.checks, *letter_checks.check(mail_run), *erasure_checks.check(erasure_run)]
        finally:
            ending.begin()
            with steps.step("Workers, Kafka and PostgreSQL ended"):
                lethe.stop()
    console.print(account.timings(steps.timings, steps.elapsed_s))
    console.print(account.verdict(checks))
    return checks


def _main_job(lethe: "LocalLethe", sizes: Sizes, steps: "Steps") -> "Run":
    import asyncio

    from workers import carriers as carrier_files
    from workers.cli.demo import run as demo_run

    carriers = carrier_files.load(lethe.settings.carriers_dir)
    port = lethe.web_ports["shipping"]
    return asyncio.run(
        demo_run.run(lethe.settings, _of_the_shop(carriers), carriers, sizes.orders, sizes.seed, port, steps)
    )


def _of_the_shop(carriers: "Mapping[str, Carrier]") -> "Mapping[str, Carrier]":
    return {name: carriers[name] for name in SHOP_CARRIERS if name in carriers} or carriers


def _letters(lethe: "LocalLethe", sizes: Sizes, steps: "Steps") -> "MailRun":
    import asyncio

    from workers.cli.demo import letters

    return asyncio.run(letters.run(lethe.settings, sizes.readers, sizes.seed, steps))


def _erasure(lethe: "LocalLethe", run: "Run", steps: "Steps") -> "ErasureRun":
    import asyncio

    from workers import carriers as carrier_files
    from workers.cli.demo import erasure

    carriers = _of_the_shop(carrier_files.load(lethe.settings.carriers_dir))
    return asyncio.run(erasure.run(lethe.settings, lethe.data_dir, carriers, run, steps))


def _show(run: "Run", lethe: "LocalLethe", console: "Console") -> None:
    from workers import carriers as carrier_files
    from workers.cli.demo import account
    from workers.cli.demo import run as demo_run

    carriers = carrier_files.load(lethe.settings.carriers_dir)
    traffic = run.traffic
    countries = {order["ship_to"]["country_code"] for order in traffic.orders.values()}
    one = demo_run.example(run, carriers)
    console.print()
    console.print(
        f"[bold]{len(traffic.orders)} orders[/bold] to {len(countries)} countries were published, as "
        f"{len(traffic.events)} events: with what happened to them later, {traffic.refusals.total()} bad ones and "
        f"{traffic.duplicates} published twice. {len(run.received)} records reached carriers, {len(run.letters)} "
        f"events were refused, {run.duplicates} repetitions ignored.\n"
    )
    console.print(account.deliveries(run.received, carriers))
    console.print(account.side_by_side(traffic.orders[one.shipment_id], one.address or {}, carriers[one.carrier]))
    console.print(account.refusals(run.letters))
    console.print(account.lag(run.lag))
    console.print()
