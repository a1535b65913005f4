"""Ways through the machine that matter, walked step by step: the invariants are looked at after each, as in any run."""

from datetime import timedelta
from typing import NamedTuple

import pytest

from tests.model import engine
from tests.model.machine import Lethe
from tests.model.stores import Manner
from tests.model.transactions import Fate
from tests.model.world import STEPS
from workers.domain.requests import Move, Reason, RequestState
from workers.errors import RefusalCode

DONE = Fate.ANSWERED
AT_ONCE = timedelta(0)


class Walk(NamedTuple):
    """A machine, and what was reached when it had settled."""

    machine: Lethe

    def step(self, *names: str) -> None:
        """Steps of the eraser, then what they put into the outbox."""
        self.machine._erase(names, DONE)
        self.machine.everybody_works("orders")
        self.machine.always()

    def answer(self, manner: Manner = Manner.TRUTHFUL) -> None:
        """Every store takes all of its tasks so, and is heard."""
        while any(store.waits(self.machine.world) for store in self.machine.world.stores.values()):
            self.machine.stores_answer((manner, manner, manner), 4)
        self.machine.everybody_works("orders")
        self.machine.always()

    def outcomes(self) -> list[str]:
        """What the certificates say so far."""
        return [one.facts.outcome for one in self.machine.world.db.certificates]

    def codes(self) -> list[str]:
        """Why records were parked, of those that were."""
        verdicts = self.machine.world.db.verdicts.values()
        return [one.removeprefix("parked ") for one in verdicts if one.startswith("parked")]

    def end(self) -> None:
        """Let it settle and look once more."""
        self.machine.teardown()


@pytest.fixture
def walk() -> Walk:
    machine = Lethe()
    machine.begin(waits=False, customers={"c1"}, subscribe=True)
    return Walk(machine)


def ask(walk: Walk) -> None:
    """Erika asks at the shop's account page."""
    walk.machine.ask_for_erasure("c1", "account and mail")
    walk.machine.everybody_works("orders")


def test_an_erasure_is_completed_and_the_carrier_is_told(walk: Walk) -> None:
    assert walk.machine.world.log.carriers()["gls"].keys() == {"o1"}
    ask(walk)
    walk.step(*STEPS)
    assert walk.machine.world.log.carriers()["gls"] == {}
    assert walk.outcomes() == [], "the stores have not looked yet"
    for _ in range(2):
        walk.answer()
        walk.step(*STEPS)
    assert walk.outcomes() == ["completed"]
    assert not walk.machine.world.db.shipments
    walk.end()
    assert walk.outcomes() == ["completed"]


def test_a_store_that_lies_about_its_erasure_is_asked_until_it_was_true(walk: Walk) -> None:
    ask(walk)
    walk.step(*STEPS)
    walk.answer(Manner.LIES)
    walk.step(*STEPS)
    walk.answer()
    walk.step(*STEPS)
    assert walk.outcomes() == [], "each of them said present"
    walk.end()
    assert walk.outcomes() == ["completed"]


def test_a_silent_store_makes_it_partial_in_time_and_whole_when_it_is_asked_again(walk: Walk) -> None:
    ask(walk)
    walk.step(*STEPS)
    walk.answer(Manner.SILENT)
    (request,) = walk.machine.world.db.requests.values()
    walk.machine.tick(24 * 30)
    assert request.due_at > walk.machine.world.now
    walk.step(*STEPS)
    assert walk.outcomes() == ["partly_completed"]
    walk.answer()
    walk.machine.staff(0, "retry")
    walk.end()
    assert walk.outcomes() == ["partly_completed", "completed"]


def test_what_comes_late_after_an_erasure_brings_nobody_back_and_a_new_order_is_a_new_person(
    walk: Walk,
) -> None:
    (before,) = walk.machine.world.db.shipments.values()
    walk.machine.say("c1", "tips", "given", AT_ONCE, late=True)
    walk.machine.place("c1", "gls", waits=False, mail=True, late=True)
    ask(walk)
    walk.step(*STEPS)
    for _ in range(2):
        walk.machine.send_late(0)
    for one in range(3):
        walk.machine.redeliver(one)
    walk.machine.everybody_works("orders")
    walk.machine.always()
    assert walk.codes() == [RefusalCode.SUBJECT_ERASED] * 2
    assert not walk.machine.world.db.shipments
    walk.machine.place("c1", "gls", waits=False, mail=True, late=False)
    walk.machine.everybody_works("orders")
    (after,) = walk.machine.world.db.shipments.values()
    assert after.subject_id != before.subject_id
    walk.end()
    assert walk.machine.world.log.carriers()["gls"].keys() == {after.shipment_id}


def test_an_order_placed_while_its_person_is_fenced_is_applied_to_a_new_one(walk: Walk) -> None:
    ask(walk)
    walk.step("begin")
    walk.machine.place("c1", "gls", waits=False, mail=True, late=False)
    walk.machine.everybody_works("orders")
    assert walk.codes() == [RefusalCode.SUBJECT_FENCED]
    walk.end()
    assert [one.shipment_id for one in walk.machine.world.db.shipments.values()] == ["o2"]
    assert walk.outcomes() == ["completed"]


@pytest.mark.parametrize("applied", [Fate.DIES_BEFORE, Fate.DIES_AFTER, Fate.UNANSWERED_DONE, Fate.UNANSWERED_UNDONE])
@pytest.mark.parametrize("published", [Fate.DIES_BEFORE, Fate.DIES_AFTER, Fate.UNANSWERED_DONE, Fate.UNANSWERED_UNDONE])
@pytest.mark.parametrize("what", ["cancelled", "carrier", "moved", "delivered"])
def test_a_crash_between_commit_and_publication_while_the_person_is_erased(
    walk: Walk, applied: Fate, published: Fate, what: str
) -> None:
    walk.machine.change_order(1, what, late=False)
    walk.machine.shipping_works(1, applied, published)
    walk.machine.always()
    walk.machine.ask_for_erasure("c1", "mail")
    walk.machine.staff(0, "verify")
    walk.machine._erase(("begin", "erase"), Fate.DIES_AFTER)
    walk.machine.always()
    walk.end()
    assert walk.machine.world.log.carriers()["gls"] == {}
    assert walk.outcomes() == ["partly_completed"], "asked by mail: one store knows people by their number alone"


def test_an_erasure_waits_for_a_worker_that_has_applied_and_not_published_yet(walk: Walk) -> None:
    walk.machine.place("c1", "gls", waits=False, mail=True, late=False)
    walk.machine.shipping_works(1, DONE, None)
    walk.machine.ask_for_erasure("c1", "mail")
    walk.machine.staff(0, "verify")
    walk.machine._erase(("begin", "erase"), DONE)
    assert walk.machine.world.db.shipments, "what was applied before the fence can still come out"
    walk.machine.world.publish("orders")
    walk.machine.always()
    walk.machine._erase(("erase",), DONE)
    assert not walk.machine.world.db.shipments
    walk.machine.always()
    walk.end()


def test_who_waits_for_a_parcel_can_take_it_back_and_nobody_can_once_it_has_begun(walk: Walk) -> None:
    walk.machine.world.waits_for_orders = True
    ask(walk)
    walk.step("begin")
    (request,) = walk.machine.world.db.requests.values()
    assert (request.state, request.reason) == (RequestState.ON_HOLD, Reason.ORDER_IN_FLIGHT)
    walk.machine.change_order(0, "delivered", late=False)
    walk.machine.everybody_works("orders")
    walk.step("release", "begin")
    assert not walk.machine.world.move(request.request_id, Move.CANCEL)
    walk.machine.staff(0, "cancel")
    walk.machine.everybody_works("orders")
    assert walk.codes() == [RefusalCode.REQUEST_STATE]
    walk.end()
    assert walk.outcomes() == ["completed"]


def test_requests_that_join_each_other_end_together(walk: Walk) -> None:
    for way in ("mail", "mail", "account and mail", "account"):
        walk.machine.ask_for_erasure("c1", way)
        walk.machine.everybody_works("orders")
        walk.machine.always()
    walk.end()
    states = {row.state for row in walk.machine.world.db.requests.values()}
    assert (states, walk.outcomes()) == ({RequestState.COMPLETED}, ["completed"])


def test_a_mail_that_waits_is_not_sent_to_who_has_been_fenced_or_has_said_no(walk: Walk) -> None:
    walk.machine.send_mails("newsletter", begins=True, count=0)
    ask(walk)
    walk.step("begin")
    walk.machine.send_mails("newsletter", begins=False, count=3)
    assert walk.machine.world.mailed == []
    walk.end()
    assert walk.machine.world.mailed == []


def test_a_replay_and_what_is_applied_after_it_reach_the_carrier_in_their_order(walk: Walk) -> None:
    parked_then_known(walk)
    walk.machine.replay(0, DONE)
    walk.machine.change_order(1, "cancelled", late=False)
    walk.machine.shipping_works(1, DONE, DONE)
    walk.machine.always()
    walk.end()
    assert walk.machine.world.log.carriers()["gls"].keys() == {"o1"}


def test_a_replay_waits_for_what_was_applied_before_it(walk: Walk) -> None:
    parked_then_known(walk)
    walk.machine.change_order(1, "moved", late=False)
    walk.machine.shipping_works(1, DONE, None)
    walk.machine.replay(0, DONE)
    engine.relay(walk.machine.world, 100)
    walk.machine.world.publish("orders")
    walk.machine.always()
    walk.end()


def parked_then_known(walk: Walk) -> None:
    """An order's change comes before the order, and is parked."""
    walk.machine.place("c1", "gls", waits=False, mail=True, late=True)
    walk.machine.change_order(1, "moved", late=False)
    walk.machine.everybody_works("orders")
    walk.machine.send_late(0)
    walk.machine.everybody_works("orders")
    assert walk.codes() == [RefusalCode.ORDER_UNKNOWN]
