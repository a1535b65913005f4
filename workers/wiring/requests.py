"""The worker `requests`: what people ask about their data, the erasure, and the stores' receipts."""

from collections.abc import Iterable

from topics import catalogue
from topics.topic import Topic, TopicOverride
from workers import carriers, clock, receipts, requests
from workers.engine import host
from workers.erasure.beginning import Beginning
from workers.erasure.certifying import Certifying
from workers.erasure.desk import RequestDesk
from workers.erasure.eraser import Eraser
from workers.erasure.erasing import Erasing
from workers.erasure.escalation import Escalation
from workers.erasure.fanout import FanOut
from workers.erasure.letters import RequestLetters
from workers.erasure.people import People
from workers.erasure.proving import Proving
from workers.mail.desk import MailDesk
from workers.proof import signing
from workers.proof.carrier_ledger import CarrierLedger
from workers.proof.desk import ProofDesk
from workers.residence.carrier_look import CarrierLook
from workers.residence.rollers import Rollers
from workers.residence.trimming import Trimmer
from workers.settings import Settings
from workers.stores import directory
from workers.wiring import batches, consent
from workers.wiring.parts import Parts, Wired

_INBOUND = frozenset((catalogue.ORDERS, catalogue.CONSENTS, catalogue.REQUESTS))


def wire(app: host.Host, parts: Parts) -> Wired:
    """Two intakes and the eraser. Raises UsageError when a store file, or the purposes file, is wrong."""
    settings, vault, keyring = parts.settings, parts.vault, parts.keyring
    stores = directory.load(settings.stores_dir, settings.keyring_dir)
    desk = RequestDesk(vault, keyring, settings)
    letters = RequestLetters(MailDesk(), keyring, settings)
    consents = consent.desk(parts)
    proof = ProofDesk(signing.load(settings.keyring_dir), settings.shop_name)
    taken = batches.wire(app, parts, requests.NAME, requests.TOPIC, lambda: requests.RequestsUnit(desk))
    answered = batches.wire(
        app, parts, receipts.NAME, receipts.TOPIC, lambda: receipts.ReceiptsUnit(clock.system_clock)
    )
    trimmer = Trimmer(inbound(settings), parts.pool, settings, answers(settings, parts.carriers))
    rollers = Rollers(_carrier_topics(settings), settings)
    eraser = Eraser(
        parts.pool,
        Beginning(vault, People(vault, keyring), consents, desk, letters, settings, clock.system_clock),
        Erasing(vault, keyring, consents, stores, settings),
        FanOut(vault, stores, settings),
        Certifying(vault, desk, proof, letters, stores, CarrierLedger(keyring)),
        Proving(parts.pool, trimmer, rollers, CarrierLook(settings), settings, clock.system_clock),
        stores, settings, parts.metrics, clock.system_clock, parts.exit,
    )  # fmt: skip
    escalation = Escalation(
        parts.pool, vault, keyring, MailDesk(), settings, clock.system_clock, parts.exit
    )  # fmt: skip
    services = [*taken.services, *answered.services, eraser, escalation]
    return Wired(services, taken.intakes + answered.intakes)


def inbound(settings: Settings) -> list[Topic]:
    """The topics that events about people come by."""
    overrides = {catalogue.ORDERS: TopicOverride(ownership="shared")} if settings.orders_shared else {}
    return [topic for topic in catalogue.catalogue(settings.prefix, (), overrides) if topic.template in _INBOUND]


def _carrier_topics(settings: Settings) -> list[str]:
    return [catalogue.carrier_addresses(settings.prefix, name) for name in carriers.load(settings.carriers_dir)]


def answers(settings: Settings, names: Iterable[str]) -> list[Topic]:
    """The topics that carriers answer by, with orders' numbers in them."""
    declared = catalogue.catalogue(settings.prefix, names)
    return [topic for topic in declared if topic.template == catalogue.CARRIER_RECEIPTS]
