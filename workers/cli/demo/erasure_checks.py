"""What the demo proves of an erasure: each claim is checked against stores, carriers, mails and the disk."""

from collections.abc import Iterable
from typing import Final

from workers.cli.demo.checks import Check
from workers.cli.demo.erasure import ErasureRun
from workers.cli.demo.people import ASKING, NEIGHBOUR, Person
from workers.cli.demo.shop import Row

_NEEDED: Final = "identity_needed"


def check(run: ErasureRun) -> list[Check]:
    """Every claim, judged."""
    return [
        _only_the_button(run),
        Check("the page said the same about an address that nobody knows", "" if run.asked.is_silent else "it did not"),
        _stores(run),
        _carriers(run),
        _certificate(run),
        _answer(run),
        _found_before(run),
        _found_after(run),
        _neighbour(run),
        _everybody_else(run),
    ]


def rows_of(rows: Iterable[Row], person: Person) -> list[Row]:
    """What the stores hold under the person's number, or with anything of theirs in it."""
    tokens = [token.casefold() for token in person.tokens.values()]
    return [
        row for row in rows
        if row.reference == person.reference or any(token in row.content.casefold() for token in tokens)
    ]  # fmt: skip


def _only_the_button(run: ErasureRun) -> Check:
    asked = run.asked
    is_so = asked.before == asked.opened == (_NEEDED, 0) and asked.pressed.state != _NEEDED
    problem = (
        "" if is_so else f"before, after opening, after confirming: {asked.before}, {asked.opened}, {asked.pressed}"
    )
    return Check("neither asking nor opening the link in the mail erased anything; the button did", problem)


def _stores(run: ErasureRun) -> Check:
    before = {row.store for row in rows_of(run.before, ASKING)}
    missing = {row.store for row in run.before} - before
    left = rows_of(run.after, ASKING)
    problems = [f"nothing of hers was in {', '.join(sorted(missing))}"] if missing else []
    problems += [f"{row.store} still holds her in {row.part}" for row in left]
    return Check("all three stores held her, and hold her no more", "; ".join(dict.fromkeys(problems)))


def _carriers(run: ErasureRun) -> Check:
    wrong = []
    for parcel in run.parcels.asking:
        told = [one for one in run.received if one.shipment_id == parcel.order_id]
        kinds = [(one.carrier, one.event_type) for one in told]
        if kinds != [(parcel.carrier, "address.assigned"), (parcel.carrier, "address.withdrawn")]:
            wrong.append(parcel.order_id)
    claim = "each carrier that had her address was told to forget it, and no other"
    return Check(claim, f"not so for {', '.join(wrong)}" if wrong else "")


def _certificate(run: ErasureRun) -> Check:
    certificate, problems = run.proof.certificate, [str(fault) for fault in run.proof.faults]
    if certificate.outcome != "completed":
        problems.append(f"it says {certificate.outcome}: {', '.join(certificate.unconfirmed)}")
    if len(certificate.stores) != len({row.store for row in run.before}):
        problems.append(f"it names {len(certificate.stores)} stores")
    if {one.carrier for one in certificate.carriers} != {one.carrier for one in run.parcels.asking}:
        problems.append("it does not name her carriers")
    if not run.proof.altered:
        problems.append("a copy with another number in it verifies, too")
    return Check(
        "the certificate is complete; signature and chain hold, and an altered copy is found out", "; ".join(problems)
    )


def _answer(run: ErasureRun) -> Check:
    body = run.answer.get_body(("plain",))
    text = "" if body is None else "".join(str(body.get_content()).split())
    is_hers = str(run.answer["To"]) == ASKING.email and run.proof.certificate.hash in text
    return Check("the answer came by mail, and names the certificate", "" if is_hers else "it does not")


def _found_before(run: ErasureRun) -> Check:
    missing = [what for number, what in enumerate(ASKING.tokens, 1) if number not in run.found_before.tokens]
    problem = f"{', '.join(missing)} was not found" if missing else ""
    return Check("before, the scan found her name, street, e-mail, phone and number on the disk", problem)


def _found_after(run: ErasureRun) -> Check:
    left = [f"{count} in {place}" for place, count in run.found_after.traces.items()]
    problem = "; ".join([*left, *(f"not looked through: {one}" for one in run.found_after.unread)])
    return Check("afterwards the scan finds nothing of hers, in any file", problem)


def _neighbour(run: ErasureRun) -> Check:
    before, after = (sorted(rows_of(rows, NEIGHBOUR)) for rows in (run.before, run.after))
    problems = [] if before == after and before else ["rows in the stores differ"]
    if NEIGHBOUR.email not in run.subscribed_before & run.subscribed_after:
        problems.append("the subscription has ended")
    delivered = {one.shipment_id: one.address or {} for one in run.again}
    problems += [
        f"the address of {parcel.order_id} cannot be read any more"
        for parcel in run.parcels.neighbour
        if parcel.waits and NEIGHBOUR.street not in delivered.get(parcel.order_id, {}).values()
    ]
    withdrawn = {one.shipment_id for one in run.received if one.event_type == "address.withdrawn"}
    problems += [f"{one.order_id} was withdrawn" for one in run.parcels.neighbour if one.order_id in withdrawn]
    return Check(f"{NEIGHBOUR.name} is untouched: rows, subscription, address at the carriers", "; ".join(problems))


def _everybody_else(run: ErasureRun) -> Check:
    before, after = (
        sorted(row for row in rows if row.reference not in (ASKING.reference, None)) for rows in (run.before, run.after)
    )  # fmt: skip
    problems = [] if before == after else ["rows in the stores differ"]
    if run.subscribed_after != run.subscribed_before - {ASKING.email}:
        problems.append("other subscriptions have changed")
    return Check("of everybody else not a letter changed, and nobody else's subscription ended", "; ".join(problems))
