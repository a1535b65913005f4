"""Sample consents: always the same, each of somebody else, each as the contract wants it."""

from datetime import UTC, datetime

from schemas import envelope, registry
from schemas.consent import ConsentGiven
from workers.cli.samples import consents

AT = datetime(2026, 11, 1, tzinfo=UTC)


def test_everybody_is_somebody_else_and_the_same_each_time() -> None:
    people = consents.readers(1000, 1)
    assert people == consents.readers(1000, 1)
    assert len({one.email for one in people}) == len({one.customer_ref for one in people}) == 1000
    assert {one.language for one in people} == {"en", "fr"}


def test_each_event_is_one_that_the_contract_takes_with_a_proof_of_the_confirmation() -> None:
    people = consents.readers(50, 2)
    for person, event in zip(people, consents.consents(people, "newsletter", "2026-01", AT), strict=True):
        data = registry.decode(envelope.parse(event.headers, event.value))
        assert isinstance(data, ConsentGiven)
        assert (data.email, data.customer_ref, data.language) == (person.email, person.customer_ref, person.language)
        assert data.double_opt_in is not None
        assert data.double_opt_in.confirmed_at > AT
        assert (event.topic, event.key) == ("consents", person.customer_ref.encode())
