"""The demo's account of an erasure, for reading: tables only."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from workers.cli.demo import account, letter_account, residue
from workers.cli.demo.erasure import ErasureRun
from workers.cli.demo.erasure_checks import rows_of
from workers.cli.demo.people import ASKING, NEIGHBOUR
from workers.cli.demo.residue import Found
from workers.proof.certificate import Certificate
from workers.proof.facts import CarrierProof, Kept, StoreProof


def erasure(run: ErasureRun) -> RenderableType:
    """Who asked, the mail that proved it, the certificate, what the scans found, what is kept and why."""
    return Group(
        f"[bold]An erasure[/bold]: {ASKING.name} has parcels on their way with {len(run.parcels.asking)} carriers, a "
        f"newsletter and rows in three stores of the shop, and asks on the page /erasure. {NEIGHBOUR.name} in the same "
        "street must not notice. (Both are invented.) The mail that asks whether it was really her:",
        letter_account.mail(run.asked.mail),
        _certificate(run),
        _found(run),
        _stores(run),
        _honest(run),
    )


def _certificate(run: ErasureRun) -> RenderableType:
    one = run.proof.certificate
    drawn = account.table("place", "deleted, or told to forget", "proof", "kept, on which ground")
    for store in (*one.stores, *one.own_stores):
        drawn.add_row(escape(store.name), _deleted(store), _proof(store), _kept(store.kept))
    for topic in one.topics:
        proof = f"trimmed {topic.trimmed_at:%H:%M:%S}" if topic.trimmed_at else escape(topic.not_confirmed or "shared")
        drawn.add_row(f"topic {topic.topic}", "events behind her last one", proof)
    for carrier in one.carriers:
        drawn.add_row(f"carrier {carrier.carrier}", f"{carrier.shipments} address", _answered(carrier))
    return Group(
        f"[bold]The certificate[/bold], {run.seconds:.0f} s after the button (UTC; number {one.sequence}, {one.outcome})",
        drawn,
        *_verified(run, one),
        "[bold]The answer[/bold], under a key of its own that is destroyed after the send",
        letter_account.mail(run.answer),
    )


def _verified(run: ErasureRun, one: Certificate) -> list[str]:
    said = "; ".join(map(str, run.proof.faults)) or "as issued"
    altered = "; ".join(fault.what for fault in run.proof.altered) or "nothing"
    return [
        f"  hash of this one    {one.hash}",
        f"  hash of the last    {one.previous_hash}",
        f"  signature           {one.signature[:44]}… (Ed25519, key {one.key_id})",
        f"  verified            {run.proof.chain_length} in the chain: {said}. Of a copy with another number in it: "
        f"{altered}.",
        "",
    ]


def _found(run: ErasureRun) -> RenderableType:
    drawn = account.table(
        "lethe scan: traces of her name, street, e-mail, phone, customer reference", ">before", ">after"
    )
    for place in residue.PLACES:
        drawn.add_row(place, *(_count(found.traces.get(place, 0)) for found in (run.found_before, run.found_after)))
    drawn.add_row(
        "[bold]all files[/bold]", *(f"[bold]{one.total}[/bold]" for one in (run.found_before, run.found_after))
    )
    return Group(
        "[bold]What is on the disk[/bold]: every file of the data directory, compressed batches, deleted segments, dead "
        "rows, WAL and statistics included",
        drawn,
        f"  looked through: {_size(run.found_before)} before, {_size(run.found_after)} after"
        + (f" ({run.looks} looks, until Kafka had deleted its closed segments)" if run.looks > 1 else ""),
        "",
    )


def _stores(run: ErasureRun) -> Table:
    drawn = account.table(
        "rows in the stores", ">hers", ">afterwards", ">the neighbour's", ">afterwards", ">all", ">afterwards"
    )
    for store in dict.fromkeys(row.store for row in run.before):
        before, after = ([row for row in rows if row.store == store] for rows in (run.before, run.after))
        drawn.add_row(
            store,
            *(str(len(rows_of(rows, who))) for who in (ASKING, NEIGHBOUR) for rows in (before, after)),
            str(len(before)), str(len(after)),
        )  # fmt: skip
    return drawn


def _honest(run: ErasureRun) -> RenderableType:
    lines = [
        f"In Lethe {run.kept.erased} keyed hash of an erased customer reference, so that what comes late, or out of a "
        "backup, does not bring her back; and the certificate, which names nobody.",
        f"{run.kept.suppressed} suppressions, keyed hashes of addresses: who said no is not asked again.",
        "Order numbers: keys of the withdrawals on the carriers' topics, for 14 days, so that a carrier that was away "
        "meets them; and in the shop's accounts, without a name, by law.",
        f"In her own mailbox the {run.mails_taken} mails to her. The sink keeps everybody's; she emptied hers before the "
        "last scan, nothing was left out of it.",
        "What a carrier has in its own systems only its answer says.",
    ]
    notes = [
        "Kafka trims and compacts closed segments only. Here they close after 1 s (LETHE_SEGMENT_MS=1000), so that you "
        "can look on; the default is 10 min.",
        "The shop's database is a foreign system: what it deletes stays in its files until it is vacuumed in full and "
        "its WAL is cut off. Its operator did so before the last scan; its backups are the operator's, too.",
    ]
    return Group(
        "[bold]What is still kept, and why[/bold]", *(f"  - {line}" for line in lines),
        "[bold]How it could be gone so soon[/bold]", *(f"  - {line}" for line in notes), "",
    )  # fmt: skip


def _deleted(store: StoreProof) -> str:
    return ", ".join(f"{one.count} {escape(one.what)}" for one in store.deleted) or "nothing"


def _proof(store: StoreProof) -> str:
    if store.rendered_unreadable is not None:
        unreadable = store.rendered_unreadable
        return f"key epoch {unreadable.key_epoch} destroyed {unreadable.destroyed_at:%H:%M:%S}"
    if store.verified_absent_at is not None:
        return f"looked again {store.verified_absent_at:%H:%M:%S}"
    return f"[red]not confirmed: {escape(store.not_confirmed or '')}[/red]"


def _kept(kept: Iterable[Kept]) -> str:
    return "\n".join(
        f"{escape(one.what)}: {escape(one.ground)}{f', until {one.until}' if one.until else ''}" for one in kept
    )


def _answered(carrier: CarrierProof) -> str:
    if carrier.acknowledged_at is None:
        return f"told {carrier.told_at:%H:%M:%S}, no answer yet"
    return f"told {carrier.told_at:%H:%M:%S}, forgot {carrier.acknowledged_at:%H:%M:%S}"


def _count(count: int) -> str:
    return str(count) if count else "[dim]0[/dim]"


def _size(found: Found) -> str:
    return f"{found.files} files, {found.size_bytes / 2**20:.0f} MiB"
