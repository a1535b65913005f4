"""What may happen to a shop: orders, consents, requests, in any order, sent late, sent twice."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import currently_in_test_context, event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from schemas import consent, order
from schemas.request import ErasureRequested, RequestCancelled
from tests.model.agents import CONSENTS, ORDERS, REQUESTS
from tests.model.log import Happened
from tests.model.stores import Manner
from tests.model.world import World
from tests.support.orders import recipient
from workers.domain.consent import ConsentChange, Entity, Kind
from workers.domain.requests import REFUSALS, Move, Reason

PEOPLE = {"c1": "erika@example.com", "c2": "max@example.com", "c3": "max@example.com"}
"""Two of them share a mailbox."""
CARRIERS = ("gls", "dhl-parcel-de")
PURPOSES = ("newsletter", "tips")

people = st.sampled_from(sorted(PEOPLE))
carriers = st.sampled_from(CARRIERS)
purposes = st.sampled_from(PURPOSES)
DECISIONS = ("verify", "verify", "verify", "hold", "release", "refuse", "retry", "cancel")

CHANGES = ("ready", "moved", "carrier", "cancelled", "delivered")
WORDS = ("given", "proven", "confirmed", "withdrawn", "all", "complaint", "import")

which = st.integers(0, 30)
ages = st.sampled_from([timedelta(0), timedelta(0), timedelta(minutes=5), timedelta(days=3)])
_EVIDENCE = consent.ConsentEvidence(location="https://shop.example/sign-up")


REACHED: Counter[str] = Counter()


def reached(what: str) -> None:
    """Count that the machine came here: for hypothesis' statistics, and for a test that it does."""
    REACHED[what] += 1
    if currently_in_test_context():
        event(what)


class Happenings(RuleBasedStateMachine):
    """One small world. `held`: events that a source has not sent yet; `published`: those that it may send again."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.held: list[tuple[str, Happened]] = []
        self.published: list[tuple[str, Happened]] = []
        self.orders: list[tuple[str, str]] = []
        self.requests: list[UUID] = []
        self.judged = 0
        self.habits: Sequence[tuple[Manner, bool]] = ()

    @initialize(
        waits=st.booleans(), customers=st.sets(people, min_size=1), subscribe=st.booleans(),
        habits=st.lists(st.tuples(st.sampled_from(Manner), st.booleans()), max_size=10),
    )  # fmt: skip
    def begin(
        self, waits: bool, customers: set[str], subscribe: bool, habits: Sequence[tuple[Manner, bool]] = ()
    ) -> None:  # fmt: skip
        """A shop that has been running: some have ordered, some get the newsletter. `habits`: how stores will end."""
        self.habits = habits
        self.world.waits_for_orders = waits
        for person in sorted(customers):
            self.place(person, CARRIERS[0], waits=False, mail=True, late=False)
            if subscribe:
                self.say(person, "newsletter", "proven", timedelta(0), late=False)
        for topic in (ORDERS, CONSENTS):
            self.world.apply(topic, 100)
            self.world.publish(topic)

    # What a shop's systems publish

    def tell(self, topic: str, reference: str, data: Any, age: timedelta = timedelta(0), late: bool = False) -> None:
        self.world.now += timedelta(seconds=1)  # no two things happen at the same moment
        happened = Happened("/shop", str(self.world.uuid()), self.world.now - age, reference, data)
        if late:
            self.held.append((topic, happened))
        else:
            self._publish(topic, happened)

    def _publish(self, topic: str, happened: Happened) -> None:
        self.world.log.publish(topic, happened)
        self.published.append((topic, happened))

    @rule(person=people, carrier=carriers, waits=st.booleans(), mail=st.booleans(), late=st.booleans())
    def place(self, person: str, carrier: str, waits: bool, mail: bool, late: bool) -> None:
        number = f"o{len(self.orders) + 1}"
        self.orders.append((number, person))
        email = PEOPLE[person] if mail else None
        ship_to = recipient(lines=[f"Erste Gasse {number}"], email=email)
        self.world.order_at_stores(PEOPLE[person], person, number)
        self.tell(ORDERS, person, order.OrderPlaced(
            order_id=number, customer_ref=person, carrier=carrier, wait_for_ready=waits, ship_to=ship_to
        ), late=late)  # fmt: skip

    @precondition(lambda self: self.orders)
    @rule(one=which, changes=st.lists(st.tuples(st.sampled_from(CHANGES), st.booleans()), min_size=1, max_size=3))
    def change_orders(self, one: int, changes: list[tuple[str, bool]]) -> None:
        """Some changes of one order, one after the other; some are sent late."""
        for what, late in changes:
            self.change_order(one, what, late)

    def change_order(self, one: int, what: str, late: bool) -> None:
        """`one` names the order; of the last ones each is changed by somebody whose it may not be."""
        number, person = self.orders[one % len(self.orders)]
        person = "c2" if one > 27 else person
        named: dict[str, Any] = {"order_id": number, "customer_ref": person}
        if what in ("moved", "carrier"):
            ship_to = recipient(lines=[f"Neue Gasse {len(self.published)}"], email=PEOPLE[person])
            carrier = None if what == "moved" else CARRIERS[one % len(CARRIERS)]
            data: Any = order.OrderAddressChanged(**named, ship_to=ship_to, carrier=carrier)
        elif what == "ready":
            data = order.OrderReady(**named)
        else:
            data = (
                order.OrderDelivered(**named) if what == "delivered" else order.OrderCancelled(**named, reason="shop")
            )
        self.tell(ORDERS, person, data, late=late)

    @rule(
        person=people,
        purpose=purposes,
        words=st.lists(st.tuples(st.sampled_from(WORDS), ages, st.booleans()), min_size=1, max_size=5),
    )
    def talk(self, person: str, purpose: str, words: list[tuple[str, timedelta, bool]]) -> None:
        """Some yeses and noes of one person, heard by the shop one after the other; some are sent late."""
        for what, age, late in words:
            self.say(person, purpose, what, age, late)
            self.world.apply(CONSENTS, 100)

    def say(self, person: str, purpose: str, what: str, age: timedelta, late: bool) -> None:
        """A yes or a no."""
        named: dict[str, Any] = {"customer_ref": person, "email": PEOPLE[person], "purpose": purpose}
        if what in ("complaint", "import"):
            self.on_a_page(person, Kind.COMPLAINT if what == "complaint" else Kind.IMPORTED, purpose, age, proven=True)
            return
        if what in ("withdrawn", "all"):
            data: Any = consent.ConsentWithdrawn(**{**named, "purpose": "*" if what == "all" else purpose})
        elif what == "confirmed":
            data = consent.ConsentConfirmed(**named, evidence=_EVIDENCE)
        else:
            opt_in = consent.DoubleOptIn(confirmed_at=self.world.now - age, evidence=_EVIDENCE)
            data = consent.ConsentGiven(
                **named, privacy_notice="2026-01", language="en", collection_method="web_form", evidence=_EVIDENCE,
                double_opt_in=opt_in if what == "proven" else None,
            )  # fmt: skip
        self.tell(CONSENTS, person, data, age, late)

    @precondition(lambda self: self.held)
    @rule(one=which)
    def send_late(self, one: int) -> None:
        """In another order than it happened."""
        topic, happened = self.held.pop(one % len(self.held))
        if self.world.db.erased_references.get(happened.reference):
            reached("an event of before an erasure arrives after it")
        self._publish(topic, happened)

    @precondition(lambda self: self.published)
    @rule(one=which)
    def redeliver(self, one: int) -> None:
        topic, happened = self.published[one % len(self.published)]
        if self.world.db.erased_references.get(happened.reference):
            reached("an event is published again after an erasure")
        self.world.log.publish(topic, happened)

    # What people do at once

    @rule(person=people, kind=st.sampled_from([
        Kind.WITHDRAWN, Kind.COMPLAINT, Kind.OBJECTION, Kind.HARD_BOUNCE, Kind.IMPORTED
    ]), purpose=purposes, age=ages, proven=st.booleans())  # fmt: skip
    def on_a_page(self, person: str, kind: Kind, purpose: str, age: timedelta, proven: bool) -> None:
        entity = Entity.STAFF if kind is Kind.IMPORTED else Entity.SUBJECT
        self.world.now += timedelta(seconds=1)
        self.world.consent(ConsentChange(
            kind, purpose, entity, "page", self.world.now - age, email=PEOPLE[person], double_opt_in=proven,
            privacy_notice="2026-01",
        ))  # fmt: skip

    @precondition(lambda self: self.world.db.asked)
    @rule(one=which)
    def follow_link(self, one: int) -> None:
        number, purpose = sorted(self.world.db.asked)[one % len(self.world.db.asked)]
        self.world.now += timedelta(seconds=1)
        change = ConsentChange(Kind.CONFIRMED, purpose, Entity.SUBJECT, "link", self.world.now, contact_id=number)
        self.world.db.asked.discard((number, purpose))
        self.world.consent(change)

    @rule(purpose=purposes, begins=st.booleans(), count=which)
    def send_mails(self, purpose: str, begins: bool, count: int) -> None:
        """An issue begins, or some of its mails go out."""
        if begins:
            self.world.issue(purpose)
        for _ in range(count % 4):
            self.world.send()

    # Requests

    @rule(person=people, way=st.sampled_from(["account", "account and mail", "mail"]))
    def ask_for_erasure(self, person: str, way: str) -> None:
        self.world.now += timedelta(seconds=1)
        if way == "mail":
            self.requests.append(self.world.ask_erasure((PEOPLE[person],), (), verified=False))
            return
        identities = [{"identity_type": "controller_customer_id", "identity_value": person}]
        if way != "account":
            identities.append({"identity_type": "email", "identity_value": PEOPLE[person]})
        number = self.world.uuid()
        self.requests.append(number)
        said = {"subject_request_id": number, "submitted_time": self.world.now, "subject_identities": identities}
        self.tell(REQUESTS, str(number), ErasureRequested.model_validate(said))

    @precondition(lambda self: self.requests)
    @rule(one=which, what=st.sampled_from(DECISIONS))
    def staff(self, one: int, what: str) -> None:
        """Staff decide about a request; or the person takes it back."""
        number = self.requests[one % len(self.requests)]
        row = self.world.db.requests.get(number)
        if what == "retry":
            self.world.retry(number)
        elif what == "cancel":
            if row is not None and row.step != "none":
                reached("a request is cancelled too late")
            self.tell(REQUESTS, str(number), RequestCancelled(subject_request_id=number))
        elif row is not None and not (row.joined is not None and what == "verify"):
            reason = {"hold": Reason.LEGAL_HOLD, "refuse": sorted(REFUSALS)[one % len(REFUSALS)]}.get(what)
            if not self.world.move(number, Move(what), reason) and row.step != "none":
                reached(f"too late to {what} a request")
