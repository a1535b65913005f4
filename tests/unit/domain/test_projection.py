"""What leaves for which carrier, what is fitted, what is refused and in which words."""

import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.address import CarrierAddress
from schemas.recipient import Recipient
from workers import carriers, errors
from workers.domain import projection
from workers.domain.carriers import Carrier
from workers.errors import RefusalCode

CARRIERS = carriers.load(Path(__file__).parents[3] / "deploy" / "carriers")
DHL, UPS, GLS, FEDEX = (CARRIERS[name] for name in ("dhl-parcel-de", "ups", "gls", "fedex"))

GERMAN: dict[str, Any] = {
    "name": "Erika Beispiel",
    "lines": ("Hauptstraße 12",),
    "city": "Köln",
    "region": "Nordrhein-Westfalen",
    "postal_code": "50667",
    "country_code": "DE",
    "phone": "+49 30 23125 042",
    "email": "erika@example.com",
}
AMERICAN: dict[str, Any] = {
    "name": "Taylor Sample",
    "lines": ("12 Maple Avenue", "Apt 4B"),
    "city": "New York",
    "region": "NY",
    "postal_code": "10001-1234",
    "country_code": "US",
    "phone": "+1 202 555 0142",
    "email": "taylor@example.org",
}


def german(**changes: Any) -> Recipient:
    return Recipient(**{**GERMAN, **changes})


def american(**changes: Any) -> Recipient:
    return Recipient(**{**AMERICAN, **changes})


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def refusal(recipient: Recipient, carrier: Carrier, consent: bool = False) -> errors.Refused:
    with pytest.raises(errors.Refused) as caught:
        projection.project(recipient, carrier, consent)
    return caught.value


class TestWhatLeaves:
    def test_only_what_the_carrier_needs_in_the_order_of_the_wire(self) -> None:
        address = projection.project(german(), DHL, consent=False)

        assert list(address.items()) == [
            ("name", "Erika Beispiel"),
            ("line1", "Hauptstraße 12"),
            ("city", "Köln"),
            ("postal_code", "50667"),
            ("country_code", "DEU"),
        ]
        assert projection.fields_of(address) == ("name", "line1", "city", "postal_code", "country_code")

    def test_a_region_leaves_only_where_addresses_are_written_with_it(self) -> None:
        assert "region" not in projection.project(german(), GLS, consent=True)
        assert projection.project(american(), GLS, consent=True)["region"] == "NY"

    def test_a_district_becomes_a_line_where_the_carrier_has_no_field_for_it(self) -> None:
        recipient = german(dependent_locality="Altstadt-Nord")

        assert projection.project(recipient, UPS, consent=False)["line2"] == "Altstadt-Nord"
        express = projection.project(recipient, CARRIERS["dhl-express"], consent=False)
        assert express["dependent_locality"] == "Altstadt-Nord"

    @pytest.mark.parametrize(
        ("carrier", "recipient", "consent", "contacts"),
        [
            ("dhl-parcel-de", german(), False, set()),
            ("dhl-parcel-de", german(), True, {"email"}),
            ("dhl-parcel-de", american(), False, set()),
            ("dhl-parcel-de", american(), True, {"phone", "email"}),
            ("dhl-express", german(), False, {"phone"}),
            ("dhl-express", german(), True, {"phone", "email"}),
            ("ups", german(), False, set()),
            ("ups", german(), True, {"email"}),
            ("ups", american(), False, {"phone"}),
            ("fedex", american(), False, {"phone"}),
            ("gls", german(), False, set()),
            ("gls", german(), True, {"phone", "email"}),
            ("colissimo", german(), False, set()),
            ("colissimo", american(), False, {"phone"}),
        ],
    )
    def test_phone_and_email_go_as_the_rule_says(
        self, carrier: str, recipient: Recipient, consent: bool, contacts: set[str]
    ) -> None:
        address = projection.project(recipient, CARRIERS[carrier], consent)

        assert {"phone", "email"} & address.keys() == contacts

    @pytest.mark.parametrize("carrier", CARRIERS.values(), ids=list(CARRIERS))
    @pytest.mark.parametrize("recipient", [german(), american()], ids=["DE", "US"])
    def test_every_carrier_gets_an_address_that_fits_the_contract(self, carrier: Carrier, recipient: Recipient) -> None:
        address = projection.project(recipient, carrier, consent=True)

        assert CarrierAddress(**address).model_dump(exclude_none=True) == address


class TestFitting:
    def test_texts_are_composed_before_they_are_counted(self) -> None:
        name = "é" * 35

        address = projection.project(german(name=nfd(name)), UPS, consent=False)

        assert address["name"] == name

    def test_every_text_is_composed(self) -> None:
        recipient = german(city=nfd("Köln"), company=nfd("Bücher & Co."), lines=(nfd("Königsallee 1"),))

        address = projection.project(recipient, UPS, consent=True)

        assert (address["city"], address["company"], address["line1"]) == (
            "Köln",
            "Bücher & Co.",
            "Königsallee 1",
        )

    def test_a_long_street_is_wrapped_on_words(self) -> None:
        recipient = german(lines=("Königsbrücker Landstraße 199, Hinterhaus, 3. Etage links",))

        address = projection.project(recipient, UPS, consent=False)

        assert (address["line1"], address["line2"]) == (
            "Königsbrücker Landstraße 199,",
            "Hinterhaus, 3. Etage links",
        )

    def test_a_long_name_goes_on_in_the_second_name_line_where_the_carrier_has_one(self) -> None:
        name = "Maximilian Ferdinand von Beispiel zu Musterhausen"

        address = projection.project(german(name=name), GLS, consent=False)

        assert (address["name"], address["company"]) == (
            "Maximilian Ferdinand von Beispiel zu",
            "Musterhausen",
        )

    def test_but_not_over_a_company_that_is_given(self) -> None:
        name = "Maximilian Ferdinand von Beispiel zu Musterhausen"

        refused = refusal(german(name=name, company="Muster GmbH"), GLS)

        assert (refused.code, refused.field) == (RefusalCode.ADDRESS_TOO_LONG, "ship_to.name")

    def test_a_phone_number_loses_its_separators_only_if_it_is_too_long(self) -> None:
        short, long = american(), american(phone="+49 (0)30 23125-042")

        assert projection.project(short, FEDEX, consent=False)["phone"] == "+1 202 555 0142"
        assert projection.project(long, FEDEX, consent=False)["phone"] == "+493023125042"

    def test_an_optional_contact_that_does_not_fit_is_left_out_whole(self) -> None:
        address = projection.project(german(email=f"{'e' * 50}@example.com"), UPS, consent=True)

        assert "email" not in address

    def test_postcodes_lose_separators_only_where_the_carrier_wants_it(self) -> None:
        assert projection.project(american(), UPS, consent=False)["postal_code"] == "100011234"
        assert projection.project(american(), FEDEX, consent=False)["postal_code"] == "10001-1234"

    def test_a_line_that_is_not_printed_is_no_line(self) -> None:
        swiss = german(country_code="CH", postal_code="8001", city="Zürich", lines=("Bahnhofstrasse 12", "Hinterhof"))

        address = projection.project(swiss, CARRIERS["colissimo"], consent=False)

        assert (address["line1"], "line2" in address) == ("Bahnhofstrasse 12 Hinterhof", False)

    def test_a_carrier_that_counts_bytes_gets_bytes(self) -> None:
        config = UPS.config.model_copy(update={"unit": "bytes"})
        counting = replace(UPS, config=config, plans={})

        assert refusal(german(name="ß" * 18), counting).reason.startswith("the name is 36 bytes long")


class TestRefusals:
    @pytest.mark.parametrize(
        ("recipient", "carrier", "code", "field"),
        [
            (american(postal_code=None), UPS, RefusalCode.ADDRESS_INCOMPLETE, "ship_to.postal_code"),
            (american(region=None), UPS, RefusalCode.ADDRESS_INCOMPLETE, "ship_to.region"),
            (american(region=None), GLS, RefusalCode.ADDRESS_INCOMPLETE, "ship_to.region"),
            (german(city=None), GLS, RefusalCode.ADDRESS_INCOMPLETE, "ship_to.city"),
            (german(postal_code="5066"), GLS, RefusalCode.ADDRESS_INVALID, "ship_to.postal_code"),
            (german(city="K" * 41), GLS, RefusalCode.ADDRESS_TOO_LONG, "ship_to.city"),
            (german(name="E" * 81), DHL, RefusalCode.ADDRESS_TOO_LONG, "ship_to.name"),
            (american(region="California"), UPS, RefusalCode.ADDRESS_TOO_LONG, "ship_to.region"),
            (german(company="C" * 36), UPS, RefusalCode.ADDRESS_TOO_LONG, "ship_to.company"),
            (german(lines=("D" * 52,)), UPS, RefusalCode.ADDRESS_TOO_LONG, "ship_to.lines"),
            (american(phone=None), UPS, RefusalCode.CONTACT_MISSING, "ship_to.phone"),
            (german(phone="0000 12"), FEDEX, RefusalCode.ADDRESS_INVALID, "ship_to.phone"),
            (american(phone="+1 202 555 0142 00000"), UPS, RefusalCode.ADDRESS_TOO_LONG, "ship_to.phone"),
        ],
    )
    def test_code_and_field(self, recipient: Recipient, carrier: Carrier, code: RefusalCode, field: str) -> None:
        refused = refusal(recipient, carrier)

        assert (refused.code, refused.field) == (code, field)

    def test_a_clerk_reads_what_is_wrong_and_what_to_do(self) -> None:
        assert refusal(german(lines=("D" * 52,)), UPS).reason == (
            "street line 1 is 52 characters long and carrier ups takes 3 lines of 35; "
            "even split on words it does not fit: shorten the address"
        )
        assert refusal(american(postal_code=None), UPS).reason == (
            "the postcode is missing, and carrier ups cannot deliver to this country without it: add it"
        )

    def test_no_value_of_the_address_is_in_the_text(self) -> None:
        refused = refusal(german(postal_code="5O667"), GLS)

        assert "5O667" not in str(refused)

    def test_a_country_code_that_does_not_exist(self) -> None:
        nowhere = german().model_copy(update={"country_code": "XX"})

        assert refusal(nowhere, GLS).code is RefusalCode.ADDRESS_INVALID

    def test_addresses_without_postcode_pass_where_the_country_needs_none(self) -> None:
        irish = german(country_code="IE", postal_code=None, city="Galway", region=None)
        emirati = german(country_code="AE", postal_code=None, city="Dubai", region="Dubai")
        chinese = german(country_code="HK", postal_code=None, city="Central", region="Hong Kong Island")

        for recipient in (irish, emirati, chinese):
            assert "postal_code" not in projection.project(recipient, CARRIERS["dhl-express"], False)


TEXTS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=18)
PHRASES = st.lists(TEXTS, min_size=1, max_size=4).map(" ".join)
PLACES = {
    "DE": "50667",
    "US": "10001",
    "CA": "M5V 2A5",
    "FR": "75004",
    "CH": "CH-8001",
    "IE": None,
    "HK": None,
    "BR": "01310-100",
    "LU": "L-1661",
}
RECIPIENTS = st.sampled_from(sorted(PLACES)).flatmap(
    lambda country_code: st.builds(
        Recipient,
        name=PHRASES,
        company=st.none() | PHRASES,
        lines=st.lists(PHRASES, min_size=1, max_size=4).map(tuple),
        city=TEXTS,
        dependent_locality=st.none() | TEXTS,
        region=st.text("ABCÄ", min_size=2, max_size=2),
        postal_code=st.just(PLACES[country_code]),
        country_code=st.just(country_code),
        phone=st.sampled_from(["+49 30 23125 042", "0049 (0)30 / 23125 - 042", "+1 202 555 0142"]),
        email=st.sampled_from([None, "erika@example.com", f"{'e' * 60}@example.com"]),
    )
)


@given(RECIPIENTS, st.sampled_from(list(CARRIERS.values())), st.booleans())
def test_nothing_but_the_allowed_within_its_limits_and_every_word(
    recipient: Recipient, carrier: Carrier, consent: bool
) -> None:
    try:
        address = projection.project(recipient, carrier, consent)
    except errors.Refused:
        return
    limits = limits_of(carrier, recipient.country_code)

    assert address.keys() <= set(carrier.fields)
    assert all(0 < len(value) <= limits[field] for field, value in address.items())
    assert words_out(address) == words_in(recipient, carrier)


def limits_of(carrier: Carrier, country_code: str) -> dict[str, int]:
    config = carrier.config
    fields = {name: limit.max_length for name, limit in config.fields if limit is not None}
    lines = dict(zip(projection.LINE_FIELDS, config.lines.limits(country_code), strict=False))
    contacts = {"phone": config.contact.phone.max_length, "email": config.contact.email.max_length}
    return {**fields, **lines, **contacts, "country_code": 3 if config.country_code_form == "alpha-3" else 2}


def words_in(recipient: Recipient, carrier: Carrier) -> list[str]:
    district = recipient.dependent_locality if carrier.config.lines.take_dependent_locality else None
    parts = [recipient.name, recipient.company, *recipient.lines, district]
    return unicodedata.normalize("NFC", " ".join(filter(None, parts))).split()


def words_out(address: dict[str, str]) -> list[str]:
    fields = ("name", "company", *projection.LINE_FIELDS)
    return " ".join(address[field] for field in fields if field in address).split()
