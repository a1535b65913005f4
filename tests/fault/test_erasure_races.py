"""People order, move, subscribe and say no while they are being erased; an issue goes out; workers stall and die."""

import json
import signal
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.erasure import rows
from tests.support.race_judge import INVARIANTS, Evidence
from tests.support.race_world import ASKING, OTHERS, RACERS, World, world
from tests.support.races import CARRIERS, Racer, Schedule, earlier, watched
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess, worker_process
from workers.domain.consent import Kind
from workers.scan import scanner
from workers.settings import Settings

IN_FLIGHT, IN_HAND = RACERS[0], RACERS[1]
"""Whose address a stalled worker is about to publish, whose mail a stalled sender is about to send, when they ask."""
STILL_OPEN = """
    select state, step, count(*) from requests where closed_at is null or key_subject_id is not null group by 1, 2"""


@pytest.fixture
def stack(own_stack: Stack) -> Endpoints:
    """Of this module's own: its files are searched."""
    return Endpoints.of(own_stack)


def plan(race: World, seed: int, lasts_s: float, workers: "Workers") -> Schedule:
    """Who does what when. Some of those who ask do nothing more afterwards; yet what they did comes again, and late."""
    schedule = Schedule(seed, lasts_s)
    for racer in RACERS:
        asks_s = schedule.random.uniform(0.1, 0.8) * lasts_s
        leaves = racer in ASKING and racer.number % 3 == 0
        plan_orders(race, racer, schedule, asks_s if leaves else lasts_s)
        plan_words(race, racer, schedule, asks_s if leaves else lasts_s)
        if racer in ASKING and racer not in (IN_FLIGHT, IN_HAND):
            ways = schedule.random.sample(("both", "reference", "email", "staff"), 2)
            schedule.at(asks_s, partial(race.ask, racer, ways[0]))
            if schedule.random.random() < 0.4:
                schedule.at(asks_s + schedule.random.uniform(0, 2.5), partial(race.ask, racer, ways[1]))
    schedule.at(0.15 * lasts_s, race.issue)
    workers.plan(schedule)
    return schedule


def plan_orders(race: World, racer: Racer, schedule: Schedule, until_s: float) -> None:
    """New orders, some moved and cancelled at once; the first one moved or cancelled; repetitions and late ones."""
    up, rng, own = race.upstream, schedule.random, f"r{racer.number}"
    for number in range(rng.randint(1, 3)):
        schedule.at(rng.uniform(0, until_s), partial(up.order, racer, f"{own}-n{number}", rng.choice(CARRIERS)))
    for number in range(rng.randint(0, 2)):
        moment_s, order = rng.uniform(0, until_s), f"{own}-m{number}"
        schedule.at(moment_s, partial(up.order, racer, order))
        for _ in range(rng.randint(1, 3)):
            moment_s = min(moment_s + rng.uniform(0, 0.4), until_s)
            schedule.at(moment_s, partial(up.move, racer, order, rng.choice((None, *CARRIERS))))
        if rng.random() < 0.4:
            schedule.at(min(moment_s + rng.uniform(0, 0.4), until_s), partial(up.cancel, racer, order))
    first = partial(up.move, racer, f"{own}-0", rng.choice(CARRIERS))
    schedule.at(rng.uniform(0, until_s), rng.choice((first, partial(up.cancel, racer, f"{own}-0"))))
    schedule.sometime(lambda: up.again(rng.choice([one for one in up.done if one.racer == racer and one.record])))
    schedule.sometime(lambda: up.order(racer, f"{own}-late", "gls", earlier()))
    schedule.sometime(lambda: up.malformed(racer, f"{own}-bad", earlier()))


def plan_words(race: World, racer: Racer, schedule: Schedule, until_s: float) -> None:
    """A yes or a no by the topic, and on the page."""
    rng = schedule.random
    for share, what in (
        (0.3, partial(race.upstream.agree, racer)),
        (0.3, partial(race.upstream.refuse, racer)),
        (0.2, partial(race.say, racer, Kind.GIVEN)),
        (0.2, partial(race.say, racer, Kind.WITHDRAWN)),
    ):
        if rng.random() < share:
            schedule.at(rng.uniform(0, until_s), what)


class Workers:
    """Three processes; the one that publishes stalls and dies meanwhile."""

    def __init__(self, settings: Settings, running: ExitStack) -> None:
        self._settings = settings
        self._running = running
        self._publisher = self.start("shipping", "relay", crash_at="")
        self._others = [self.start("mailer"), self.start("newsletter", "stores", "requests")]
        for one in (self._publisher, *self._others):
            one.wait_ready()

    def start(self, *names: str, crash_at: str = "") -> WorkerProcess:
        return self._running.enter_context(worker_process(self._settings, names, crash_at=crash_at, ready=False))

    def restart_armed(self) -> None:
        """Both will stall: about to publish an address, about to begin a mail."""
        self._publisher.stop()
        self._others[0].stop()
        self._publisher = self.start("shipping", "relay", crash_at="lane.before_publish:1:pause")
        self._others[0] = self.start("mailer", crash_at="mail.unknown:1:pause")
        for one in (self._publisher, self._others[0]):
            one.wait_ready()

    @property
    def paused(self) -> bool:
        return all(_is_paused(one) for one in (self._publisher, self._others[0]))

    def go_on(self) -> None:
        for one in (self._publisher, self._others[0]):
            one.signal(signal.SIGCONT)

    def plan(self, schedule: Schedule) -> None:
        """Two stalls, and a death between commit and publication, with nobody in its place for a while."""
        rng, lasts_s = schedule.random, schedule.lasts_s
        for part in (0.05, 0.75):
            begins_s = (part + rng.uniform(0, 0.1)) * lasts_s
            schedule.at(begins_s, lambda: self._publisher.signal(signal.SIGSTOP))
            schedule.at(begins_s + rng.uniform(0.3, 1.0), lambda: self._publisher.signal(signal.SIGCONT))
        dies_s = rng.uniform(0.3, 0.4) * lasts_s
        schedule.at(dies_s, self._kill)
        schedule.at(dies_s + 0.1, self._replace)

    def _kill(self) -> None:
        self._publisher.kill()

    def _replace(self) -> None:
        self._publisher = self.start("shipping", "relay")


def _is_paused(one: WorkerProcess) -> bool:
    return Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def begin(race: World) -> None:
    """Everybody orders once and subscribes."""
    for racer in RACERS:
        race.upstream.order(racer, f"r{racer.number}-0", "gls", earlier())
        race.upstream.agree(racer)
    race.upstream.flush()
    counted = "select (select count(*) from shipments) + (select count(*) from consents) as n"
    wait_until(
        lambda: rows(race.settings, counted)[0]["n"] == 2 * len(RACERS), 60, lambda: str(rows(race.settings, counted))
    )
    lethe.wait_drained(race.settings)


def stall(race: World, workers: Workers) -> None:
    """One is fenced while their address is on its way out, another while their mail is."""
    workers.restart_armed()
    race.upstream.order(IN_FLIGHT, "r0-flight")
    race.say(IN_HAND, Kind.GIVEN)
    race.upstream.flush()
    wait_until(lambda: workers.paused, 30, "both stalled")
    flying = "select 1 from shipments where shipment_id = 'r0-flight'"
    assert rows(race.settings, flying), "committed, and not published"
    race.ask(IN_FLIGHT, "both")
    race.upstream.flush()
    begun = "select 1 from requests where step <> 'none'"
    wait_until(lambda: rows(race.settings, begun), 30, "fenced at once")
    time.sleep(0.7)  # the erasure waits for the publication; where it does not, the judge says so
    race.ask(IN_HAND, "both")
    race.upstream.flush()
    time.sleep(1)  # the fence waits for the mail
    workers.go_on()


def settle(race: World) -> None:
    """Everything ends: requests with their answers, replays, what was still to be read."""
    race.upstream.flush()
    lethe.wait_drained(race.settings, 60)
    wait_until(lambda: not rows(race.settings, STILL_OPEN), 120, lambda: f"stuck: {rows(race.settings, STILL_OPEN)}")
    replaying = "select 1 from dead_letters where state = 'replaying' union all select 1 from outbox"
    wait_until(lambda: not rows(race.settings, replaying), 60, "replays or publications are left")


def search(race: World, evidence: Evidence, stack: Stack) -> None:
    """Nothing is left on the disk of those who stayed away."""
    gone = [one for one in evidence.fence if not evidence.since(one)]
    tokens = [token for one in gone for token in one.tokens]
    assert len(gone) > 2, "some stayed away"
    kafka = stack.data_dir / "kafka/data"
    topics = sorted(kafka.glob(f"{race.settings.prefix}*"))
    wait_until(lambda: not scanner.scan(tokens, topics).findings, 60, "the erased are in the files of Kafka", poll_s=1)
    time.sleep(1.5)  # a segment that was renamed while it was looked for is deleted a second later
    folders = [stack.data_dir / "postgres", *topics, *(race.folder / part for part in ("exports", "worker.log"))]
    report = scanner.scan(tokens, folders)
    assert not report.findings, report.findings[:3]
    here = [token for one in OTHERS for token in one.tokens[:1]]
    assert scanner.scan(here, topics).findings, "others are found"


@pytest.mark.parametrize(
    ("seed", "lasts_s"),
    [
        pytest.param(1, 7.0, id="1"),
        *(pytest.param(seed, 20.0, id=f"long-{seed}", marks=pytest.mark.torture) for seed in range(2, 12)),
    ],
)
def test_an_erasure_races_everything_else(
    stack: Endpoints, own_stack: Stack, prefix: str, database: str, tmp_path: Path, seed: int, lasts_s: float
) -> None:
    with world(stack, prefix, database, tmp_path) as race, ExitStack() as running:
        workers = Workers(race.settings, running)
        with watched(race.settings) as left:
            begin(race)
            before = race.subjects()
            stall(race, workers)
            plan(race, seed, lasts_s, workers).run()
            settle(race)
            time.sleep(0.5)
        evidence = Evidence(race, left, before)
        broken = {one.__name__: found for one in INVARIANTS if (found := list(one(evidence)))}
        assert not broken, json.dumps(broken, indent=1)
        search(race, evidence, own_stack)
