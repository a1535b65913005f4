"""People order, move, subscribe and say no while their erasure is under way; an issue goes out; workers stall and die.

Times of several clocks are compared, all of this machine: what an event says of itself, when Kafka got a record, when
the mail server read DATA, and the fence as PostgreSQL keeps it.
"""

import asyncio
import csv
import json
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from typer.testing import CliRunner

from deploy.local.stack import Stack
from tests.support import issues, lethe, people
from tests.support.consents import PURPOSES
from tests.support.endpoints import Endpoints
from tests.support.erasure import asked, rows
from tests.support.fast_sink import Arrival, FastSink, fast_sink
from tests.support.races import CARRIERS, Done, Left, Racer, Schedule, Upstream, earlier, model, of, watched
from tests.support.waiting import wait_until
from tests.support.worker_process import WorkerProcess, worker_process
from workers import carriers as carrier_files
from workers.cli.app import app
from workers.cli.local import environment
from workers.consent.desk import ConsentDesk
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.engine import parking
from workers.issues import book
from workers.mail.desk import MailDesk
from workers.scan import scanner
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.subjects import SubjectVault

RACERS = [Racer(number) for number in range(40)]
ASKING, OTHERS = RACERS[:24], RACERS[24:]
IN_FLIGHT, IN_HAND = RACERS[0], RACERS[1]
"""Whose address a stalled worker is about to publish, whose mail a stalled sender is about to send, when they ask."""
EXPORT = "customers.csv"
ISSUE = "News"
STILL_OPEN = """
    select state, step, count(*) from requests where closed_at is null or key_subject_id is not null group by 1, 2"""


@pytest.fixture
def stack(own_stack: Stack) -> Endpoints:
    """Of this module's own: its files are searched."""
    return Endpoints.of(own_stack)


class Asked(NamedTuple):
    """A request: whose, and its number where it came with one."""

    racer: Racer
    number: uuid.UUID | None


class World:
    """A prepared Lethe with a store, an upstream, a mail server, and everything that is noted about the race."""

    def __init__(self, settings: Settings, folder: Path, sink: FastSink) -> None:
        self.settings = settings
        self.folder = folder
        self.sink = sink
        self.upstream = Upstream(settings)
        self.asked: list[Asked] = []
        self.ring = keyrings.load(settings.keyring_dir)
        self.vault = SubjectVault(self.ring)
        self._desk = ConsentDesk(self.vault, self.ring, PURPOSES, MailDesk(), settings)

    def hash(self, racer: Racer) -> uuid.UUID:
        return uuid.UUID(bytes=self.vault.reference_hash(racer.reference))

    def subjects(self) -> dict[uuid.UUID, int]:
        return {row["reference_hash"]: row["subject_id"] for row in rows(self.settings, "select * from subjects")}

    def ask(self, racer: Racer, way: str) -> None:
        """By one of four ways."""
        if way == "staff":
            command = ["requests", "new", "--email", racer.email, "--because", "a letter", "--language", "fr"]
            result = CliRunner().invoke(app, command, env=environment.for_child(self.settings, lethe.ROOT))
            assert result.exit_code == 0, result.output
            self.asked.append(Asked(racer, None))
            return
        number, event = asked(
            racer.reference if way != "email" else None, racer.email if way != "reference" else None
        )  # fmt: skip
        self.asked.append(Asked(racer, number))
        self.upstream.ask(event)

    def say(self, racer: Racer, kind: Kind) -> None:
        """On the page: applied at once, with a mail that asks for a confirmation; refused while they are fenced."""
        now = datetime.now(UTC)
        self.upstream.done.append(Done(racer, now, f"page.{kind}"))
        more = {"privacy_notice": "2026-01", "language": "en"} if kind is Kind.GIVEN else {}
        change = ConsentChange(kind, "support", Entity.SUBJECT, "web_form", now, email=racer.email, **more)

        async def apply() -> None:
            async with issues.database(self.settings) as connection, connection.transaction():
                await self._desk.apply(connection, [change], now)

        asyncio.run(apply())

    def issue(self) -> None:
        """To all who subscribe, from this moment on."""

        async def schedule() -> None:
            async with issues.database(self.settings) as connection:
                now = datetime.now(UTC)
                await book.schedule(connection, issues.NAME, people.PURPOSE, issues.CONTENT, now, now)

        asyncio.run(schedule())


@contextmanager
def world(stack: Endpoints, prefix: str, database: str, folder: Path) -> Iterator[World]:
    exports, stores = folder / "exports", folder / "stores"
    for one in (exports, stores):
        one.mkdir()
    files = {"what": "rows", "glob": EXPORT, "format": "csv", "keys": {"email": "email", "customer_ref": "ref"}}
    head = {
        "name": "exports", "title": "Exports", "kind": "folder", "identifiers": ["email", "customer_ref"],
        "respond_within_s": 20, "options": {"path": str(exports), "files": [files]},
    }  # fmt: skip
    (stores / "exports.yaml").write_text(yaml.safe_dump(head))
    (exports / EXPORT).write_text("ref,email\n" + "".join(f"{one.reference},{one.email}\n" for one in RACERS))
    with fast_sink() as sink:
        settings = lethe.prepare(
            stack, prefix, database, folder, stores_dir=stores, orders_in_flight="cancel", erasure_poll_s=0.1,
            smtp_port=sink.port, segment_ms=1000, mails_per_s_per_domain=12, dkim_dir=folder / "none",
            orders_partitions=3,
        )  # fmt: skip
        yield World(settings, folder, sink)


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


class Evidence:
    """What is left at the end, and the moment from which each person is another."""

    def __init__(self, race: World, left: Sequence[Left], before: dict[uuid.UUID, int]) -> None:
        settings = race.settings
        self.race = race
        self.left = left
        self.arrivals = race.sink.arrivals()
        self.done = of(RACERS, race.upstream.done)
        self.before = before
        fences = {row["reference_hash"]: row["erased_at"] for row in rows(settings, "select * from erased_references")}
        self.fence: dict[Racer, datetime] = {
            one: fences[race.hash(one)] for one in RACERS if race.hash(one) in fences
        }  # fmt: skip
        self.effective = {
            row["fenced_at"]: row["effective_at"] for row in rows(settings, "select * from erasure_rounds")
        }
        self.now = race.subjects()
        carriers = carrier_files.load(settings.carriers_dir)
        self.expected = {one: model(self.since(one), carriers) for one in RACERS}

    def since(self, racer: Racer) -> list[Done]:
        """What they did since their fence."""
        fence = self.fence.get(racer)
        return [one for one in self.done[racer] if fence is None or one.at > fence]

    def word(self, left: Left) -> Done:
        """The event whose address this is."""
        name = json.loads(left.value or b"")["address"]["name"].removeprefix("Zoë ")
        (done, *_) = [one for found in self.done.values() for one in found if one.word == name]
        return done


def nothing_of_the_erased_leaves_after_the_effective_moment(of_: Evidence) -> Iterator[str]:
    owners = {json.loads(one.record.value or b"")["order_id"]: one.racer for found in of_.done.values() for one in found
              if one.record is not None and one.word}  # fmt: skip
    last: dict[tuple[str, str], Left] = {}
    for one in of_.left:
        last[one.carrier, one.shipment_id] = one
        if one.value is None:
            continue
        done = of_.word(one)
        fence = of_.fence.get(done.racer)
        if fence is None:
            continue
        effective = of_.effective[fence]
        if done.at <= fence and one.at > effective:
            yield f"{one.shipment_id}.{one.revision} left {one.at - effective} after the effective moment"
        if done.at > fence and one.at < fence:
            yield f"{one.shipment_id} left before the fence that its event came after"
    for (carrier, shipment_id), one in last.items():
        racer = owners[shipment_id]
        lives = of_.expected[racer].get(shipment_id)
        if one.value is not None and (lives is None or lives.carrier != carrier):
            yield f"{carrier} still has the address of {shipment_id} ({'erased' if racer in of_.fence else 'other'})"


def no_mail_begins_after_the_fence(of_: Evidence) -> Iterator[str]:
    by_address = {one.email: one for one in RACERS}
    for arrival in of_.arrivals:
        racer = by_address[arrival.recipient]
        fence = of_.fence.get(racer)
        if fence is None or arrival.began <= fence.timestamp() or _answers(arrival):
            continue
        if not any(one.kind.endswith("given") for one in of_.since(racer)):
            yield f"{arrival.subject!r} to {racer} began {arrival.began - fence.timestamp():.3f} s after the fence"


def _answers(arrival: Arrival) -> bool:
    return "ffac" in arrival.subject  # Effacement, effacées: the answer to a request, in the language it was asked in


def every_request_has_ended_and_each_person_is_certified(of_: Evidence) -> Iterator[str]:
    found = rows(of_.race.settings, "select request_id, state, joined, certificate from requests")
    by_number = {row["request_id"]: row for row in found}
    if len(found) != len(of_.race.asked):
        yield f"{len(found)} requests of {len(of_.race.asked)}"
    for row in found:
        if row["state"] != "completed":
            yield f"{row['request_id']} is {row['state']}"
        if row["joined"] is not None and by_number[row["joined"]]["joined"] is not None:
            yield f"{row['request_id']} joined one that joined another"
    leaders = {row["request_id"] for row in found if row["joined"] is None}
    certified = [row["request_id"] for row in rows(of_.race.settings, "select request_id from certificates")]
    if sorted(certified) != sorted(leaders):
        yield f"{len(certified)} certificates for {len(leaders)} requests that joined no other"
    if asking := set(ASKING) - of_.fence.keys():
        yield f"asked and never fenced: {asking}"


def nobody_else_is_touched(of_: Evidence) -> Iterator[str]:
    for racer in OTHERS:
        if racer in of_.fence:
            yield f"{racer} did not ask"
        if of_.now.get(of_.race.hash(racer)) != of_.before[of_.race.hash(racer)]:
            yield f"{racer} is another subject"


def what_happened_after_the_fence_is_applied_once_to_a_new_subject(of_: Evidence) -> Iterator[str]:
    """And what others did is applied as well: the model says what is there."""
    stored: dict[int, dict[str, Any]] = {number: {} for number in of_.now.values()}
    for row in rows(of_.race.settings, "select * from shipments"):
        stored.setdefault(row["subject_id"], {})[row["shipment_id"]] = (row["carrier"], row["state"], row["revision"])
    for racer in RACERS:
        number = of_.now.get(of_.race.hash(racer), 0)
        wanted = {
            order: (one.carrier, str(one.state), one.revision) for order, one in of_.expected[racer].items()
        }  # fmt: skip
        got = stored.pop(number, {})
        if got != wanted:
            yield f"{racer} ({'erased' if racer in of_.fence else 'other'}): {got} instead of {wanted}"
        if racer in of_.fence and number == of_.before[of_.race.hash(racer)]:
            yield f"{racer} is the same subject as before"
    if orphans := {number: orders for number, orders in stored.items() if orders}:
        yield f"orders of nobody: {orphans}"


def nothing_late_brings_anybody_back(of_: Evidence) -> Iterator[str]:
    """Who did nothing since is not known at all, and no table knows a number that was erased."""
    old = [of_.before[of_.race.hash(one)] for one in of_.fence]
    tables = "select table_name, column_name, data_type from information_schema.columns where column_name in " \
        "('subject_id', 'subject_ids') and table_schema = 'public'"  # fmt: skip
    for table, column, kind in rows(of_.race.settings, tables):
        test = f"{column} && $1::bigint[]" if kind == "ARRAY" else f"{column} = any($1::bigint[])"
        if count := rows(of_.race.settings, f"select count(*) as n from {table} where {test}", old)[0]["n"]:
            yield f"{count} rows of {table} are of erased persons"
    hashes = {uuid.UUID(bytes=of_.race.ring.lookup_hash("email", one.email.encode())): one for one in RACERS}
    known = {hashes[row["email_hash"]] for row in rows(of_.race.settings, "select email_hash from contacts")}
    for racer in of_.fence:
        since = of_.since(racer)
        if not since and of_.race.hash(racer) in of_.now:
            yield f"{racer} did nothing since and is a subject"
        if racer in known and not any(one.kind.endswith("given") for one in since):
            yield f"{racer} did not agree since and is a contact"
    for racer in OTHERS:
        if racer not in known:
            yield f"{racer} is no contact any more"


def dead_letters_keep_nothing_from_before(of_: Evidence) -> Iterator[str]:
    fences = {one.reference.encode(): fence for one, fence in of_.fence.items()}
    for row in rows(of_.race.settings, "select * from dead_letters"):
        if row["state"] == "replaying":
            yield "a letter is not replayed yet"
        if row["sealed"] is None:
            continue
        packed = parking.open_letter(
            of_.race.ring, uuid.UUID(str(row["dead_letter_id"])), row["wrapped_key"], row["key_epoch"], row["sealed"]
        )
        record = parking.unpack(packed, row["topic"], row["partition"], row["record_offset"])
        at = datetime.fromisoformat(dict(record.headers)["ce_time"].decode())
        fence = fences.get(record.key or b"")
        if fence is not None and at <= fence:
            yield f"the {row['code']} of an erased person keeps its body"


def the_store_has_lost_the_erased_alone(of_: Evidence) -> Iterator[str]:
    lines = csv.DictReader((of_.race.folder / "exports" / EXPORT).read_text().splitlines())
    kept = [row["ref"] for row in lines]
    if kept != [one.reference for one in OTHERS]:
        yield f"the store has {kept}"


INVARIANTS: Sequence[Callable[[Evidence], Iterator[str]]] = (
    nothing_of_the_erased_leaves_after_the_effective_moment,
    no_mail_begins_after_the_fence,
    every_request_has_ended_and_each_person_is_certified,
    nobody_else_is_touched,
    what_happened_after_the_fence_is_applied_once_to_a_new_subject,
    nothing_late_brings_anybody_back,
    dead_letters_keep_nothing_from_before,
    the_store_has_lost_the_erased_alone,
)


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
