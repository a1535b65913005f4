"""The demo's account of an erasure, for reading: tables only."""

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from workers.cli.demo import account, letter_account, residue
from workers.cli.demo.erasure import ErasureRun
from workers.cli.demo.erasure_checks import rows_of
from workers.cli.demo.people import ASKING, NEIGHBOUR
from workers.cli.demo.residue import Found
from workers.proof.certificate import Certificate
from workers.proof.facts import CarrierProof, StoreProof


def erasure(run: ErasureRun) -> RenderableType:
    """Who asked, the mail that proved it, the certificate, what the scans found, what is kept and why."""
    return Group(
        f"[bold]An erasure[/bold]: {ASKING.name} has parcels on their way with {len(run.parcels.asking)} carriers, the "
        f"newsletter, and rows in three stores of the shop. She asks on the page /erasure. {NEIGHBOUR.name} in the "
        "same street must not notice (both are invented). The mail that asks whether it was really her:",
        letter_account.mail(run.asked.mail),
        _certificate(run),
        _found(run),
        "[bold]What the stores hold[/bold], row by row; an order without its person stays for the accounts",
        _stores(run),
        _honest(run),
    )


def _certificate(run: ErasureRun) -> RenderableType:
    one = run.proof.certificate
    places = account.table("place", "deleted or made anonymous", "proof (UTC)")
    for store in (*one.stores, *one.own_stores):
        places.add_row(escape(store.name), _deleted(store), _proof(store))
    for topic in one.topics:
        trimmed = f"trimmed {topic.trimmed_at:%H:%M:%S}" if topic.trimmed_at else "[red]not trimmed[/red]"
        places.add_row(f"topic {topic.topic}", "all up to her last event", trimmed)
    for carrier in one.carriers:
        places.add_row(f"carrier {carrier.carrier}", f"addresses {carrier.shipments}", _answered(carrier))
    kept = account.table("kept", "by", "on this ground", "until")
    for store in one.stores:
        for each in store.kept:
            kept.add_row(escape(each.what), escape(store.name), escape(each.ground), str(each.until or ""))
    return Group(
        f"[bold]The certificate[/bold], {run.seconds:.0f} s after the button: number {one.sequence}, {one.outcome}",
        places,
        kept,
        _verified(run, one),
        "[bold]The answer[/bold], under a key of its own that is destroyed after the send",
        letter_account.mail(run.answer),
    )


def _verified(run: ErasureRun, one: Certificate) -> RenderableType:
    drawn = account.table("verified with the public key alone", "")
    drawn.add_row("hash", one.hash)
    drawn.add_row("hash of the one before", one.previous_hash)
    drawn.add_row("signature (Ed25519)", one.signature)
    drawn.add_row("this one and the chain", "; ".join(map(str, run.proof.faults)) or "as issued")
    drawn.add_row(
        "a copy with another number in it", "; ".join(fault.what for fault in run.proof.altered) or "as issued"
    )
    return drawn


def _found(run: ErasureRun) -> RenderableType:
    scans = (run.found_before, run.found_after)
    drawn = account.table("traces of her name, street, e-mail, phone, customer reference", ">before", ">after")
    for place in residue.PLACES:
        drawn.add_row(place, *(_count(found.traces.get(place, 0)) for found in scans))
    drawn.add_row("[bold]in all files[/bold]", *(f"[bold]{found.total}[/bold]" for found in scans))
    drawn.add_row("files, MiB looked through", *(_size(found) for found in scans))
    return Group(
        "[bold]What lethe scan finds[/bold] in every file of the data directory: batches unpacked, deleted segments, "
        "dead rows, WAL, statistics, mails. Kafka deletes closed segments by itself: its files were looked at "
        f"{run.looks} time{'' if run.looks == 1 else 's'} until they were gone.",
        drawn,
    )


def _stores(run: ErasureRun) -> Table:
    drawn = account.table("store", ">hers", ">after", ">neighbour's", ">after", ">all", ">after")
    for store in dict.fromkeys(row.store for row in run.before):
        times = [[row for row in rows if row.store == store] for rows in (run.before, run.after)]
        counts = [len(rows_of(rows, who)) for who in (ASKING, NEIGHBOUR) for rows in times]
        drawn.add_row(store, *map(str, counts), *(str(len(rows)) for rows in times))
    return drawn


def _honest(run: ErasureRun) -> RenderableType:
    kept = [
        f"{run.kept.erased} keyed hash of an erased customer's reference: what comes late, or out of a backup, does "
        "not bring her back.",
        f"{run.kept.suppressed} keyed hashes of addresses that said no, hers among them; the certificate, which names "
        "nobody.",
        "Order numbers, without a person: in the shop's accounts by law, and for 14 days as the keys of the "
        "withdrawals on the carriers' topics, so that a carrier that was away meets them.",
        f"The {run.mails_taken} mails to her are in her own mailbox, which is hers. Here the sink plays "
        "everybody's mailbox: she emptied hers before the last scan, and the scan left nothing out.",
        "What a carrier has in its own systems, only its answer says.",
    ]
    soon = [
        "Parcels on their way are withdrawn from the carriers (LETHE_ORDERS_IN_FLIGHT=cancel). By default an erasure "
        "waits until they are delivered, 14 days at most.",
        f"Kafka deletes and compacts closed segments only. Here they close after {run.segment_ms / 1000:g} s "
        f"(LETHE_SEGMENT_MS={run.segment_ms}), so that you can look on; ten minutes are the default.",
        "The shop's database is not Lethe's: what it deletes stays in its files until somebody vacuums it in full and "
        "cuts its WAL off. The shop's operator did so before the last scan; the shop's backups have their own end.",
        "Lethe's own rows lie sealed in dead pages and old WAL, and the key to them is destroyed: nothing to clean up.",
    ]
    return Group(
        "[bold]What is still kept, and why[/bold]", *(f"  - {line}" for line in kept),
        "[bold]How it could be gone so soon[/bold]", *(f"  - {line}" for line in soon), "",
    )  # fmt: skip


def _deleted(store: StoreProof) -> str:
    return ", ".join(f"{escape(one.what)} {one.count}" for one in store.deleted) or "nothing"


def _proof(store: StoreProof) -> str:
    if store.rendered_unreadable is not None:
        unreadable = store.rendered_unreadable
        return f"key epoch {unreadable.key_epoch} destroyed {unreadable.destroyed_at:%H:%M:%S}"
    if store.verified_absent_at is not None:
        return f"looked again {store.verified_absent_at:%H:%M:%S}"
    return f"[red]not confirmed: {escape(store.not_confirmed or '')}[/red]"


def _answered(carrier: CarrierProof) -> str:
    if carrier.acknowledged_at is None:
        return f"told {carrier.told_at:%H:%M:%S}, no answer yet"
    return f"told {carrier.told_at:%H:%M:%S}, forgot {carrier.acknowledged_at:%H:%M:%S}"


def _count(count: int) -> str:
    return str(count) if count else "[dim]0[/dim]"


def _size(found: Found) -> str:
    return f"{found.files}, {found.size_bytes / 2**20:.0f}"
