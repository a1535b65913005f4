"""Certificates in the small world: the facts are the real ones, which refuse to claim more than they show."""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from tests.model import desk
from tests.model.database import Certificate, Database, RequestRow, StoreRow
from workers.domain.requests import Move, Reason, RequestState
from workers.domain.store_progress import StoreState
from workers.proof.facts import CarrierProof, Facts, Kept, StoreProof, TopicProof, Unreadable

if TYPE_CHECKING:
    from tests.model.world import World

MARGIN = timedelta(days=2)
_FINAL = (StoreState.ABSENT, StoreState.KEPT, StoreState.UNCONFIRMED)
_CONFIRMED = (StoreState.ABSENT, StoreState.KEPT)


def certify(world: "World", draft: Database) -> None:
    """Certify what is proven; let the rest wait for its stores, no longer than the law does."""
    for row in sorted(draft.requests.values(), key=lambda row: row.received_at):
        if not _is_proven(draft, row):
            continue
        is_partly = row.state is RequestState.PARTLY_COMPLETED
        stores = _stores(draft, row.request_id)
        if any(one.state not in _FINAL for one in stores):
            if is_partly or row.due_at - MARGIN > world.now:
                if row.state is RequestState.IN_PROGRESS:
                    desk.move(world, draft, row.request_id, Move.AWAIT_STORES)
                continue
            for one in stores:
                if one.state not in _FINAL:
                    draft.stores[one.subject_ref] = one._replace(state=StoreState.UNCONFIRMED, reason="silent")
        stores = _stores(draft, row.request_id)
        if not is_partly or all(one.state in _CONFIRMED for one in stores):
            _issue(world, draft, row, stores)


def _is_proven(draft: Database, row: RequestRow) -> bool:
    if row.round_id is None or draft.rounds[row.round_id].state != "proven":
        return False
    return row.step == "erased" or (row.step == "certified" and row.state is RequestState.PARTLY_COMPLETED)


def _stores(draft: Database, number: UUID) -> tuple[StoreRow, ...]:
    return tuple(one for one in draft.stores.values() if one.request_id == number)


def _issue(world: "World", draft: Database, row: RequestRow, stores: tuple[StoreRow, ...]) -> None:
    is_complete = all(one.state in _CONFIRMED for one in stores)
    facts = _facts(world, draft, row, stores, is_complete)
    assert row.round_id is not None
    draft.certificates.append(
        Certificate(facts, row.subject_ids, row.round_id, stores, next(world.log.moments))
    )  # fmt: skip
    draft.requests[row.request_id] = row._replace(step="certified", certificate=len(draft.certificates))
    if is_complete:
        desk.move(world, draft, row.request_id, Move.COMPLETE)
    else:
        desk.move(world, draft, row.request_id, Move.COMPLETE_PARTLY, Reason.STORE_SILENT)


def _facts(
    world: "World", draft: Database, row: RequestRow, stores: tuple[StoreRow, ...], is_complete: bool
) -> Facts:  # fmt: skip
    round_ = draft.rounds[row.round_id or 0]
    assert round_.effective_at is not None
    assert round_.shredded_at is not None
    unreadable = Unreadable(key_epoch=round_.key_epoch, destroyed_at=round_.shredded_at)
    return Facts(
        request_id=row.request_id,
        outcome="completed" if is_complete else "partly_completed",
        received_at=row.received_at,
        fenced_at=round_.effective_at,
        completed_at=world.now,
        stores=tuple(_proof(one) for one in stores),
        own_stores=(StoreProof(name="lethe", kind="postgresql", rendered_unreadable=unreadable),),
        topics=tuple(TopicProof(topic=topic, trimmed_at=round_.trimmed_at) for topic, _ in round_.inbound),
        carriers=_carriers(draft, row.request_id),
    )


def _proof(one: StoreRow) -> StoreProof:
    is_final = one.state in _CONFIRMED
    return StoreProof(
        name=one.store,
        kind="model",
        verified_absent_at=one.verified_at if is_final else None,
        kept=(Kept(what="invoices", ground="the law"),) if one.kept else (),
        not_confirmed=None if is_final else (one.reason or "silent"),
    )


def _carriers(draft: Database, number: UUID) -> tuple[CarrierProof, ...]:
    notices = [one for one in draft.notices.values() if one.request_id == number]
    found = []
    for carrier in sorted({one.carrier for one in notices}):
        theirs = [one for one in notices if one.carrier == carrier]
        answered = [one.acknowledged_at for one in theirs if one.acknowledged_at is not None]
        found.append(
            CarrierProof(
                carrier=carrier, shipments=len(theirs), told_at=max(one.told_at for one in theirs),
                acknowledged=len(answered), acknowledged_at=max(answered, default=None),
            )
        )  # fmt: skip
    return tuple(found)
