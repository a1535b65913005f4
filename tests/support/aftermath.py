"""What must be so after an erasure, however often its processes were killed: each thing done, and done once."""

import threading
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from uuid import UUID

import confluent_kafka
import orjson
from confluent_kafka import Consumer, TopicPartition

from tests.support import lethe
from tests.support.erasure import rows
from tests.support.planted import EXPORT, PEOPLE, TABLES, counts, email, name, wait_for
from tests.support.waiting import wait_until
from workers import shipping
from workers.engine import database
from workers.proof import signing, verification
from workers.settings import Settings
from workers.vault import epochs, keyring
from workers.vault.subjects import SubjectVault

_KEYS_LEFT = "select count(*) as n from requests where key_subject_id is not null or sealed is not null"
_UNANSWERED = "select (select count(*) from store_jobs) + (select count(*) from outbox) as n"
_TOO_EARLY = """
    select request_id from certificates join requests using (request_id) join erasure_rounds using (round_id)
    where (issued_at > trimmed_at and issued_at > compacted_at and issued_at > shredded_at) is not true"""
_CERTIFICATES = "select request_id, document from certificates order by sequence"


class Carrier:
    """Reads its addresses as they come, read_committed: compaction would hide what was said twice."""

    def __init__(self, settings: Settings, topic: str = "carrier.gls.addresses") -> None:
        options = {"group.id": f"{settings.prefix}test-carrier", "isolation.level": "read_committed", "log_level": 0}
        self._consumer = Consumer({**settings.kafka_admin, **options, "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(settings.topic(topic), 0, confluent_kafka.OFFSET_BEGINNING)])
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.withdrawn: Counter[str] = Counter()
        self.held: set[str] = set()
        self._thread.start()

    def _read(self) -> None:
        while not self._stopped.is_set():
            for message in self._consumer.consume(1000, 0.1):
                if message.error() is None:
                    self._take(message)

    def _take(self, message: confluent_kafka.Message) -> None:
        shipment_id = message.key().decode()
        if message.value() is not None:
            self.held.add(shipment_id)
        elif ("ce_type", b"address.withdrawn") in (message.headers() or []):
            self.held.discard(shipment_id)
            self.withdrawn[shipment_id] += 1

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        self._thread.join()
        self._consumer.close()


@contextmanager
def carrier(settings: Settings) -> Iterator[Carrier]:
    """A carrier that reads along; its topic has one partition."""
    reading = Carrier(settings)
    try:
        yield reading
    finally:
        reading.stop()


def judge(
    settings: Settings, folder: Path, numbers: Sequence[UUID], erased: Collection[int], reader: Carrier,
    held: bool = False,
) -> None:  # fmt: skip
    """Wait until these requests, of the planted people `erased`, have ended, and look at everything that is left.

    `held`: they had waited for a parcel first; who had asked by an address (the odd numbers) was told so by a mail.
    Raises AssertionError.
    """
    wait_for(settings, numbers, "completed")
    wait_until(lambda: rows(settings, _KEYS_LEFT)[0]["n"] == 0, 60, lambda: str(rows(settings, _KEYS_LEFT)))
    wait_until(lambda: rows(settings, _UNANSWERED)[0]["n"] == 0, 60, "jobs or rows of the outbox are left")
    others = [number for number in range(PEOPLE) if number not in set(erased)]
    _certificates(settings, numbers)
    _confirmations(settings, numbers, held)
    _mails(folder / "mails", {email(number): 1 + (held and number % 2) for number in erased})
    after = counts(settings)
    assert {table: after[table] for table in TABLES[1:]} == dict.fromkeys(TABLES[1:], len(others)), after
    assert after["subjects"] == len(others) + 1, "the others, and the store, by whose name receipts are keyed"
    export = (folder / "exports" / EXPORT).read_text()
    assert export == "".join(["ref,email,note\n", *(f"c-{n},{email(n)},hello\n" for n in others)]), export
    wanted = {f"o-{number}": 1 for number in erased}
    wait_until(lambda: reader.withdrawn == wanted, 30, lambda: str(reader.withdrawn))
    assert reader.held == {f"o-{number}" for number in others}, reader.held
    assert lethe.in_a_loop(_names(settings)) == {name(number) for number in others}, "others cannot be read"


def _certificates(settings: Settings, numbers: Sequence[UUID]) -> None:
    found = rows(settings, _CERTIFICATES)
    assert Counter(row["request_id"] for row in found) == Counter(numbers), "one certificate each"
    assert not rows(settings, _TOO_EARLY), "certified before it was proven"
    signer = signing.load(settings.keyring_dir)
    check = verification.ChainCheck({signer.key_id: signer.public}, whole=True)
    assert not [fault for row in found for fault in check.add(row["document"]).faults]
    assert check.end() == []


def _confirmations(settings: Settings, numbers: Sequence[UUID], held: bool) -> None:
    """Each state of each request was told once, in its order."""
    records = lethe.read_topics(settings, ["confirmations"])
    ids = Counter(one.headers["ce_id"] for one in records)
    assert set(ids.values()) == {1}, ids.most_common(3)
    told = defaultdict(list)
    for one in records:
        said = orjson.loads(one.value or b"{}")
        told[UUID(said["subject_request_id"])].append(said["request_status"])
    way = ["in_progress", *(["on_hold", "in_progress"] if held else []), "completed"]
    for number in numbers:
        assert [state for state in told[number] if state != "waiting_for_store"] == way, told[number]
        assert told[number].count("waiting_for_store") <= 1


def _mails(folder: Path, wanted: Mapping[str, int]) -> None:
    """So many to each address; one may have gone out twice, and is the same mail then."""
    mails = [message_from_bytes(path.read_bytes()) for path in folder.rglob("*.eml")]
    sent = {mail["Message-ID"]: (mail["To"], mail["Subject"]) for mail in mails}
    assert len(set(sent.values())) == len(sent), "said again as another mail"
    received = Counter(to for to, _ in sent.values())
    assert received == wanted, f"mails: {received}"


async def _names(settings: Settings) -> set[str]:
    """Of whom an address can be opened, with the keys that are left."""
    pool = await database.connect(settings)
    try:
        ring = keyring.load(settings.keyring_dir)
        await epochs.adopt(pool, ring, settings.keyring_dir)
        found = await pool.fetch("select shipment_id, subject_id, recipient from shipments")
        async with pool.acquire() as connection, connection.transaction():
            subjects = await SubjectVault(ring).hold_by_id(connection, [row["subject_id"] for row in found])
        opened = [
            shipping.open_recipient(row["recipient"], subjects[row["subject_id"]], row["shipment_id"]) for row in found
        ]
        return {one.name for one in opened if one is not None}
    finally:
        await pool.close()
