"""The demo's checks of an erasure notice each way in which the promise could be broken, and the account shows it."""

from email import message_from_string, policy
from email.message import EmailMessage

import pytest
from rich.console import Console

from tests.support import certificates
from workers.cli.demo import erasure_account, erasure_checks
from workers.cli.demo.carrier import Received
from workers.cli.demo.erasure import ErasureRun, Kept, Parcels
from workers.cli.demo.erasure_page import Asked, Moment
from workers.cli.demo.erasure_proof import Proof
from workers.cli.demo.people import ASKING, NEIGHBOUR, Parcel
from workers.cli.demo.residue import CARRIERS, Found
from workers.cli.demo.shop import Row
from workers.proof.facts import CarrierProof
from workers.proof.verification import Fault

PARCELS = Parcels((Parcel("N-1", "dhl"), Parcel("N-2", "ups")), (Parcel("N-3", "dhl"), Parcel("N-4", "ups", True)))
STORES = ("webshop", "exports", "parcels")
HERS = [Row(store, "people", ASKING.reference, f"{ASKING.name} {ASKING.street}") for store in STORES]
HIS = [Row(store, "people", NEIGHBOUR.reference, f"{NEIGHBOUR.name} {NEIGHBOUR.street}") for store in STORES]
OTHER = Row("webshop", "people", "c-1", "Somebody Else")
NOBODYS = Row("webshop", "orders", None, "(N-1,,erased,,10.00)")
HIS_ADDRESS = {"name": NEIGHBOUR.name, "line1": NEIGHBOUR.street}
ASSIGNED, WITHDRAWN = "address.assigned", "address.withdrawn"
FULL = Found({CARRIERS: 7}, frozenset(range(1, 6)), 100, 1 << 20, ())
EMPTY = Found({}, frozenset(), 100, 1 << 20, ())
SUBSCRIBED = frozenset((ASKING.email, NEIGHBOUR.email, "reader@example.org"))
AGAIN = Received("ups", "N-4", ASSIGNED, "N-4.1", HIS_ADDRESS)
RECEIVED = [
    Received("dhl", "N-1", ASSIGNED, "N-1.1", {}), Received("dhl", "N-1", WITHDRAWN, "N-1.2", None),
    Received("ups", "N-2", ASSIGNED, "N-2.1", {}), Received("ups", "N-2", WITHDRAWN, "N-2.2", None),
    Received("dhl", "N-3", ASSIGNED, "N-3.1", HIS_ADDRESS), AGAIN,
]  # fmt: skip
CERTIFICATE = certificates.rendered(
    certificates.facts(
        stores=tuple(certificates.store(name) for name in STORES),
        carriers=tuple(
            CarrierProof(carrier=name, shipments=1, told_at=certificates.later(2)) for name in ("dhl", "ups")
        ),
    )
)
PARTLY = certificates.rendered(certificates.partly())
PROOF = Proof(CERTIFICATE, 1, (), (Fault(1, "was altered"),))


def mail(body: str, to: str = ASKING.email) -> EmailMessage:
    return message_from_string(f"To: {to}\nSubject: x\n\n{body}\n", EmailMessage, policy=policy.default)


NEEDED = Moment("identity_needed", 0)
ASKED = Asked(mail("a link"), NEEDED, NEEDED, Moment("in_progress", 1), True)
ANSWER = mail(f"certificate 1, {CERTIFICATE.hash}")
GOOD = ErasureRun(
    PARCELS, [*HERS, *HIS, OTHER], [*HIS, OTHER, NOBODYS], FULL, EMPTY, 2, ASKED, RECEIVED, [AGAIN], PROOF, ANSWER,
    3, SUBSCRIBED, SUBSCRIBED - {ASKING.email}, Kept(1, 1), 10.0, 1000,
)  # fmt: skip
BUTTON, SILENT, STORES_, CARRIERS_, PROVEN, ANSWERED, BEFORE, AFTER, NEIGHBOUR_, OTHERS = range(10)


def broken(run: ErasureRun) -> list[int]:
    return [number for number, one in enumerate(erasure_checks.check(run)) if one.problem]


def test_what_is_as_promised_is_said_to_be() -> None:
    assert broken(GOOD) == []


@pytest.mark.parametrize(
    ("run", "claims"),
    [
        (GOOD._replace(asked=ASKED._replace(opened=Moment("in_progress", 1))), [BUTTON]),
        (GOOD._replace(asked=ASKED._replace(before=Moment("in_progress", 0))), [BUTTON]),
        (GOOD._replace(asked=ASKED._replace(opened=Moment("identity_needed", 1))), [BUTTON]),
        (GOOD._replace(asked=ASKED._replace(pressed=NEEDED)), [BUTTON]),
        (GOOD._replace(asked=ASKED._replace(is_silent=False)), [SILENT]),
        (GOOD._replace(after=[*GOOD.after, HERS[1]]), [STORES_]),
        (GOOD._replace(after=[*GOOD.after, NOBODYS._replace(content=f"x {ASKING.street.upper()} y")]), [STORES_]),
        (GOOD._replace(before=[*HERS[:2], *HIS, OTHER]), [STORES_]),
        (GOOD._replace(received=[*RECEIVED[:3], *RECEIVED[4:]]), [CARRIERS_]),
        (GOOD._replace(received=[*RECEIVED, RECEIVED[0]._replace(carrier="gls")]), [CARRIERS_]),
        (GOOD._replace(received=[*RECEIVED, RECEIVED[0]]), [CARRIERS_]),
        (GOOD._replace(proof=PROOF._replace(faults=(Fault(1, "its signature"),))), [PROVEN]),
        (GOOD._replace(proof=PROOF._replace(altered=())), [PROVEN]),
        (GOOD._replace(proof=PROOF._replace(certificate=PARTLY), answer=mail(PARTLY.hash)), [PROVEN]),
        (GOOD._replace(answer=mail(CERTIFICATE.hash, NEIGHBOUR.email)), [ANSWERED]),
        (GOOD._replace(answer=mail("done")), [ANSWERED]),
        (GOOD._replace(found_before=FULL._replace(tokens=frozenset((1, 2, 3, 4)))), [BEFORE]),
        (GOOD._replace(found_after=FULL), [AFTER]),
        (GOOD._replace(found_after=EMPTY._replace(unread=("x.log: no permission",))), [AFTER]),
        (GOOD._replace(after=[*HIS[1:], OTHER, NOBODYS]), [NEIGHBOUR_, OTHERS]),
        (GOOD._replace(again=[]), [NEIGHBOUR_]),
        (GOOD._replace(again=[AGAIN._replace(address={"name": "?"})]), [NEIGHBOUR_]),
        (GOOD._replace(received=[*RECEIVED, Received("dhl", "N-3", WITHDRAWN, "N-3.2", None)]), [NEIGHBOUR_]),
        (GOOD._replace(subscribed_after=frozenset(("reader@example.org",))), [NEIGHBOUR_, OTHERS]),
        (GOOD._replace(subscribed_after=SUBSCRIBED), [OTHERS]),
        (GOOD._replace(after=[*HIS, NOBODYS]), [OTHERS]),
        (GOOD._replace(after=[*HIS, OTHER._replace(content="Somebody"), NOBODYS]), [OTHERS]),
    ],
)
def test_each_broken_promise_is_noticed(run: ErasureRun, claims: list[int]) -> None:
    assert broken(run) == claims


def test_the_two_people_have_nothing_in_common_that_is_searched_for() -> None:
    his = " ".join(NEIGHBOUR.tokens.values()).casefold()
    assert [token for token in ASKING.tokens.values() if token.casefold() in his] == []
    assert ASKING.name.split()[1] == NEIGHBOUR.name.split()[1], "the same surname"


def test_the_account_shows_what_was_found_before_and_afterwards() -> None:
    console = Console(width=140)
    with console.capture() as captured:
        console.print(erasure_account.erasure(GOOD))
    rows = [line.split() for line in captured.get().splitlines()]
    assert [*CARRIERS.split(), "7", "0"] in rows
    assert ["exports", "1", "0", "1", "1", "2", "1"] in rows
    assert CERTIFICATE.hash in captured.get()
