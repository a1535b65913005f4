"""What must be true after a race, whatever happened in it: each invariant says what breaks it, person by person.

Times of several clocks are compared, all of this machine: what an event says of itself, when Kafka got a record, when
the mail server read DATA, and the fence as PostgreSQL keeps it.
"""

import csv
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from tests.support.erasure import rows
from tests.support.fast_sink import Arrival
from tests.support.race_world import ASKING, EXPORT, OTHERS, RACERS, World
from tests.support.races import Done, Left, Racer, model, of
from workers import carriers as carrier_files
from workers.engine import parking


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
            yield f"{one.event_id} left {one.at - effective} after the effective moment"
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
