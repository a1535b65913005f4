"""The small world put together: processes that die, a clock, mails, and what people and systems do."""

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from tests.model import consents, desk, engine
from tests.model.agents import AGENTS
from tests.model.database import Database, MailRow
from tests.model.engine import Lane
from tests.model.eraser import Eraser
from tests.model.log import Log
from tests.model.stores import DownstreamStore, Holding, Manner
from tests.model.transactions import Fate, transaction
from tests.support.consents import PURPOSES
from workers import carriers as carrier_files
from workers.domain.consent import VALID, ConsentChange
from workers.domain.deadlines import deadline
from workers.domain.purposes import Purpose, Purposes
from workers.domain.requests import Move, Reason
from workers.errors import PartitionLost, Refused

CARRIERS = carrier_files.load(Path(__file__).parents[2] / "deploy/carriers")
_TIPS = Purpose(term="dpv:Marketing", title={"en": "Tips"}, needs_double_opt_in=False, marketing=True)
ALL_PURPOSES = Purposes({"newsletter": PURPOSES["newsletter"], "tips": _TIPS})
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEPS = ("release", "begin", "erase", "ask", "rotate", "prove", "certify", "forget")


class World:
    """What is committed outlives everything else."""

    def __init__(self, waits_for_orders: bool = False) -> None:
        self.waits_for_orders = waits_for_orders
        self.now = BEGIN
        self.log = Log()
        self.db = Database()
        self.carriers, self.purposes = CARRIERS, ALL_PURPOSES
        self.numbers = itertools.count(1)
        self.epoch, self.destroyed, self.wrapped = 1, set[int](), set[tuple[int, int]]()
        self.mailed: list[tuple[MailRow, str, datetime, int]] = []
        self.stores = {
            "crm": DownstreamStore("crm", ("email", "customer_ref")),
            "shop": DownstreamStore("shop", ("customer_ref",)),
            "warehouse": DownstreamStore("warehouse", ("order_id",)),
        }
        self.lanes: dict[str, Lane | None] = {topic: Lane(self, topic, agent) for topic, agent in AGENTS.items()}
        self.zombies: list[Lane] = []
        self.eraser = Eraser(self)

    def uuid(self) -> UUID:
        """A fresh number in the form of a UUID."""
        return UUID(int=next(self.numbers))

    # What the engine does

    def is_pending(self, topic: str) -> bool:
        """Whether there are records that were not applied."""
        return len(self.log.inbound[topic]) > self.db.positions.get(topic, 0)

    def apply(self, topic: str, count: int, fate: Fate = Fate.ANSWERED) -> None:
        """The topic's worker applies its next records."""
        self._work(topic, lambda lane: lane.apply(count, fate), fate)

    def publish(self, topic: str, fate: Fate = Fate.ANSWERED) -> None:
        """The topic's worker publishes what it has applied."""
        self._work(topic, lambda lane: lane.publish(fate), fate)

    def start(self, topic: str) -> None:
        """A worker for the topic; one that runs already does not know that it was replaced."""
        lane = self.lanes[topic]
        if lane is not None:
            self.zombies.append(lane)
        self.lanes[topic] = Lane(self, topic, AGENTS[topic])

    def _work(self, topic: str, work: Callable[[Lane], None], fate: Fate) -> None:
        lane = self.lanes[topic]
        if lane is None:
            return
        try:
            work(lane)
        except PartitionLost:
            lane.open()
        if fate.dies:
            self.lanes[topic] = None

    def zombie(self, number: int, applies: bool) -> bool:
        """A process that was replaced goes on; whether it still could do anything."""
        try:
            if applies:
                self.zombies[number].apply(1, Fate.ANSWERED)
            else:
                self.zombies[number].publish(Fate.ANSWERED)
        except PartitionLost:
            return False
        return True

    def replay(self, topic: str, fate: Fate = Fate.ANSWERED) -> bool:
        """The replayer of a topic's group applies what is marked."""
        return engine.replay_next(self, topic, AGENTS[topic], fate)

    def mark(self, number: int) -> None:
        """Staff ask to have a dead letter applied again."""
        kept = [key for key, one in self.db.letters.items() if one.happened is not None and one.state == "parked"]
        if kept:
            key = kept[number % len(kept)]
            self.db.letters[key] = self.db.letters[key]._replace(state="replaying")

    def rotate(self) -> None:
        """A new key epoch: survivors are wrapped anew, then the old one is destroyed."""
        retired, self.epoch = self.epoch, self.epoch + 1
        for row in list(self.db.subjects.values()):
            self.db.subjects[row.subject_id] = row._replace(epoch=self.epoch)
            self.wrapped.add((row.subject_id, self.epoch))
        self.destroyed.add(retired)

    def clean_up(self) -> None:
        """Inbound topics are trimmed behind what was applied and published; the others are compacted."""
        for topic in AGENTS:
            self.log.trim(topic, min(self.db.positions.get(topic, 0), self.log.committed[topic]))
        for topic in list(self.log.sent):
            self.log.compact(topic)

    # What people and staff do at once

    def consent(self, change: ConsentChange, fate: Fate = Fate.ANSWERED) -> bool:
        """On a page, by mail or by import; False where it is refused."""
        try:
            transaction(self, lambda draft: consents.apply(self, draft, change), fate)
        except Refused:
            return False
        return True

    def ask_erasure(self, emails: tuple[str, ...], references: tuple[str, ...], verified: bool) -> UUID:
        """A request that comes by mail, by the account page or from staff."""
        number = self.uuid()
        transaction(self, lambda draft: desk.open_request(self, draft, number, emails, references, verified))
        return number

    def move(self, number: UUID, what: Move, reason: Reason | None = None) -> bool:
        """Staff or a link move a request; False where that cannot be."""
        try:
            transaction(self, lambda draft: desk.move(self, draft, number, what, reason))
        except Refused:
            return False
        return True

    def retry(self, number: UUID) -> None:
        """Staff have the stores asked again that did not confirm."""
        for ref, one in list(self.db.stores.items()):
            if one.request_id == number and one.state == "unconfirmed":
                again = type(one.state).TO_ERASE
                self.db.stores[ref] = one._replace(state=again, due_at=self.now, reason=None)

    def order_at_stores(self, email: str, reference: str, order_id: str) -> None:
        """The shop's other systems learn of an order, too."""
        for store in self.stores.values():
            store.rows.add(Holding(email, reference, order_id))

    # Mail

    def issue(self, purpose: str) -> None:
        """An issue to all who agree at this moment."""
        for (number, wanted), one in self.db.consents.items():
            contact = self.db.contacts[number]
            if wanted == purpose and one.record.status in VALID:
                mail_id = next(self.numbers)
                self.db.mails[mail_id] = MailRow(mail_id, number, contact.subject_id, purpose)

    def send(self) -> None:
        """DATA of the first mail that waits, if the look under the locks allows it (query judge)."""
        mail = next((one for one in self.db.mails.values() if one.state == "intent"), None)
        if mail is None:
            return
        contact, one = self.db.contacts.get(mail.contact_id), self.db.consents.get((mail.contact_id, mail.purpose))
        permitted = contact is not None and one is not None and one.record.status in VALID
        if permitted and contact is not None and one is not None:
            expires_at = one.record.expires_at
            permitted = contact.undeliverable_since is None and (expires_at is None or expires_at > self.now)
        if permitted and contact is not None and self.db.lives(mail.subject_id):
            self.mailed.append((mail, contact.email, self.now, next(self.log.moments)))
            self.db.mails[mail.mail_id] = mail._replace(state="sent")
        else:
            self.db.mails[mail.mail_id] = mail._replace(state="cancelled")

    # Time

    def tick(self, passed: timedelta) -> None:
        """Time passes, and what watches it does its work."""
        self.now += passed
        for change in consents.due(self):
            self.consent(change)
        self.tell_staff()

    def tell_staff(self) -> None:
        """Once a day for each step of the deadline that open requests have reached."""
        today = self.now.astimezone(desk.ZONE).date()
        for row in self.db.requests.values():
            step = deadline(row.received_at, desk.ZONE).warning(self.now, desk.ZONE)
            if row.closed_at is None and step is not None:
                self.db.staff_mails.add((today, step))

    def settle(self, look: Callable[[], None], habits: Sequence[tuple[Manner, bool]] = ()) -> None:
        """Everything that can be done is done: all workers live, time passes, stores tell the truth in the end.

        `habits`: in what manner tasks are taken before that, and whether the store then says something else.
        """
        before = iter(habits)
        for _ in range(16):
            look()
            for topic in AGENTS:
                self.start(topic)
                self.apply(topic, 1000)
                self.publish(topic)
                while self.replay(topic):
                    pass
            for step in STEPS:
                engine.relay(self, 1000)
                self.clean_up()
                self.eraser.step(step)
            engine.relay(self, 1000)
            for store in self.stores.values():
                while store.waits(self):
                    manner, thinks_better = next(before, (Manner.TRUTHFUL, False))
                    store.take(self, manner)
                    if thinks_better:
                        store.say_again(self, otherwise=True)
            while any(one.state == "intent" for one in self.db.mails.values()):
                self.send()
            self.tick(timedelta(hours=7))
