"""The machine: what happens to the shop, what the processes do about it and how they die, looked at after each step."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from schemas.address import AddressWithdrawalAcknowledged
from tests.model import engine, invariants
from tests.model.agents import AGENTS, CARRIER_RECEIPTS, CONSENTS, ORDERS, RECEIPTS, REQUESTS
from tests.model.eraser import Eraser
from tests.model.events import Happenings, reached, which
from tests.model.stores import Manner
from tests.model.transactions import Fate
from tests.model.world import STEPS

fates = st.sampled_from([Fate.ANSWERED, Fate.ANSWERED, *Fate])
topics = st.sampled_from([ORDERS, ORDERS, ORDERS, *AGENTS])
counts = st.sampled_from([1, 2, 100])
manners = st.sampled_from([Manner.TRUTHFUL, Manner.TRUTHFUL, *Manner])


class Lethe(Happenings):
    """One small world and its processes."""

    # The engine

    @precondition(lambda self: self.world.is_pending(ORDERS))
    @rule(count=counts, applied=fates, published=fates | st.none())
    def shipping_works(self, count: int, applied: Fate, published: Fate | None) -> None:
        self._work(ORDERS, count, applied, published)

    @precondition(lambda self: self.world.is_pending(CONSENTS))
    @rule(count=counts, applied=fates)
    def newsletter_works(self, count: int, applied: Fate) -> None:
        self._work(CONSENTS, count, applied, Fate.ANSWERED)

    @rule(count=counts, fate=fates)
    def requests_work(self, count: int, fate: Fate) -> None:
        """Requests, stores' and carriers' answers, and what is born in the database."""
        for topic in (REQUESTS, RECEIPTS, CARRIER_RECEIPTS):
            self._work(topic, count, fate, Fate.ANSWERED)
        engine.relay(self.world, count, fate)

    def _work(self, topic: str, count: int, applied: Fate, published: Fate | None) -> None:
        """A batch is applied, then published (None: not yet); either may fail in any way, or kill the worker."""
        if self.world.lanes[topic] is None:
            self.world.start(topic)
        self.world.apply(topic, count, applied)
        if any(row.lane == topic for row in self.world.db.outbox):
            if applied.dies or (published is not None and published.dies):
                reached("a crash between commit and publication")
            elif published is None:
                reached("a worker that takes its time to publish")
        if published is not None:
            self.world.publish(topic, published)

    @rule(first=topics)
    def everybody_works(self, first: str) -> None:
        """All that is there is applied and published, in some order of topics."""
        for topic in (first, *AGENTS):
            self._work(topic, 100, Fate.ANSWERED, Fate.ANSWERED)
        engine.relay(self.world, 100)

    @precondition(lambda self: self.world.db.letters)
    @rule(marked=which, fate=fates)
    def replay(self, marked: int, fate: Fate) -> None:
        """Staff ask for a dead letter to be applied again; the replayer applies what is marked."""
        self.world.mark(marked)
        for topic in AGENTS:
            self.world.replay(topic, fate)

    @rule(
        what=st.sampled_from(["start", "zombie", "zombie", "compact", "repeat", "contradict"]), topic=topics, one=which
    )
    def trouble(self, what: str, topic: str, one: int) -> None:
        """A rebalance; a replaced process that goes on; the broker cleans up; a producer says it again."""
        world = self.world
        if what == "start":
            world.start(topic)
        elif what == "zombie" and world.zombies and not world.zombie(one % len(world.zombies), one > 15):
            reached("a process that was replaced is refused")
        elif what == "compact":
            world.clean_up()
        elif what in ("repeat", "contradict"):
            list(world.stores.values())[one % len(world.stores)].say_again(world, what == "contradict")

    # Erasure

    @rule(steps=st.integers(1, 3), fate=fates)
    def eraser_begins(self, steps: int, fate: Fate) -> None:
        """As far as it comes without the stores: a fence, perhaps an erasure."""
        self._erase(STEPS[:steps], fate)

    @rule(steps=st.integers(4, len(STEPS)), fate=fates)
    def eraser_goes_on(self, steps: int, fate: Fate) -> None:
        """All of its steps up to one of the last ones, while everything around it works."""
        self._erase(STEPS[:steps], fate)

    @precondition(lambda self: self.world.db.stores)
    @rule(steps=st.integers(0, 2), fate=fates)
    def eraser_asks(self, steps: int, fate: Fate) -> None:
        """Tasks go out, answers come in."""
        self._work(RECEIPTS, 100, Fate.ANSWERED, Fate.ANSWERED)
        self._erase(("ask", "prove", "certify")[: steps + 1], fate)
        engine.relay(self.world, 100)

    def _erase(self, steps: Sequence[str], fate: Fate) -> None:
        """Steps one after the other; at the last one the process may die."""
        for step in steps[:-1]:
            self.world.clean_up()
            self.world.eraser.step(step)
            engine.relay(self.world, 100)
        self.world.eraser.step(steps[-1], fate)
        if fate.dies:
            self.world.eraser = Eraser(self.world)

    @precondition(lambda self: any(store.waits(self.world) for store in self.world.stores.values()))
    @rule(how=st.tuples(manners, manners, manners), times=st.integers(1, 4))
    def stores_answer(self, how: tuple[Manner, ...], times: int) -> None:
        """Each store takes some of its tasks, in its own manner."""
        for store, manner in zip(self.world.stores.values(), how, strict=True):
            for _ in range(times):
                store.take(self.world, manner)

    @precondition(lambda self: self.world.db.notices)
    @rule(one=which, kept=st.booleans())
    def carrier_acknowledges(self, one: int, kept: bool) -> None:
        told = sorted(self.world.db.notices)[one % len(self.world.db.notices)]
        carrier = self.world.db.notices[told].carrier
        self.tell(CARRIER_RECEIPTS, carrier, AddressWithdrawalAcknowledged(
            carrier=carrier, withdrawal_id=told, outcome="kept" if kept else "erased"
        ))  # fmt: skip

    # Time

    @rule(hours=st.sampled_from([1, 1, 7, 24, 24 * 6, 24 * 13, 24 * 40]))
    def tick(self, hours: int) -> None:
        """Time passes; a deadline may pass with it."""
        self.world.tick(timedelta(hours=hours))

    # What holds

    @invariant()
    def always(self) -> None:
        world = self.world
        invariants.nothing_is_lost_or_applied_twice(world)
        invariants.one_carrier_at_most_knows_an_address(world)
        invariants.only_its_own_customer_changes_an_order(world, dict(self.orders))
        invariants.notices_of_a_shipment_come_in_their_order(world)
        invariants.who_is_written_to_has_agreed(world)
        invariants.every_no_is_heard(world)
        invariants.a_mail_went_out_under_a_valid_consent(world)
        invariants.nothing_about_the_erased_leaves_or_stays(world)
        invariants.nobody_is_brought_back(world)
        invariants.requests_move_as_they_may(world)
        invariants.deadlines_are_a_month_and_never_pass_silently(world)
        invariants.certificates_are_true(world, world.db.certificates[self.judged :])
        self.judged = len(world.db.certificates)

    def teardown(self) -> None:
        """Let everything come to its end, and look once more."""
        for topic, happened in self.held:
            self.world.log.publish(topic, happened)
        self.world.settle(self.always, self.habits)
        invariants.settled(self.world)
        self._report()

    def _report(self) -> None:
        db = self.world.db
        for one in db.certificates:
            reached(f"a certificate says {one.facts.outcome}")
        for row in db.requests.values():
            reached(f"a request ends {row.state}")
        for verdict in db.verdicts.values():
            reached(f"a record was {verdict}")
        if any(one.outcome == "present" for store in self.world.stores.values() for one in store.answers):
            reached("a store said present after an erasure")
        if any(not one.is_true for store in self.world.stores.values() for one in store.answers):
            reached("a store lied")
        if self.world.mailed:
            reached("an issue reached somebody")
