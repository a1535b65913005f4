"""The part of a recipient that one carrier needs, fitted to its limits: nothing more, nothing cut, nothing invented."""

import re
import unicodedata
from typing import Final

from schemas.recipient import Recipient
from workers import errors
from workers.domain import plans, street_lines
from workers.domain.carriers import Carrier

LINE_FIELDS: Final = ("line1", "line2", "line3", "line4")
_LABELS: Final = {
    "name": "name",
    "company": "company",
    "city": "city",
    "dependent_locality": "district",
    "region": "state or province",
    "postal_code": "postcode",
    "phone": "phone number",
    "email": "e-mail address",
}
_POSTAL_SEPARATORS: Final = str.maketrans("", "", " -")
_PHONE_SEPARATORS: Final = str.maketrans("", "", " ()./-")
_NOT_DIGITS: Final = re.compile("[^0-9]+")


def project(recipient: Recipient, carrier: Carrier, consent: bool) -> dict[str, str]:
    """The address fields for `carrier`, in the order of the wire, absent fields left out.

    Texts are Unicode NFC. Phone and e-mail go as the carrier's rule says, `consent` being the person's agreement to
    delivery notices; one that goes by consent only and does not fit is left out whole. Raises `errors.Refused` if
    the country or the carrier needs something that is missing, or if something does not fit.
    """
    plan = carrier.plans.get(recipient.country_code) or carrier.plan(recipient.country_code)
    address: dict[str, str] = {}
    _put_names(address, recipient, plan)
    _put_lines(address, recipient, plan)
    for step, value in zip(plan.rest, plan.read_rest(recipient), strict=False):
        if value:
            address[step.name] = _fitted(value, step, plan)
        elif step.required:
            raise _missing(step.name, plan)
    address["country_code"] = plan.country_code
    for contact in plan.contacts:
        if consent or contact.required:
            _put_contact(address, getattr(recipient, contact.name), contact, plan)
    return address


def fields_of(address: dict[str, str]) -> tuple[str, ...]:
    """The names of what is disclosed, for the disclosure ledger; never the values."""
    return tuple(address)


def _put_names(address: dict[str, str], recipient: Recipient, plan: plans.Plan) -> None:
    name = _nfc(recipient.name)
    if plan.measure(name) > plan.name.max_length:
        _put_long_name(address, name, recipient, plan)
        return
    address["name"] = name
    if recipient.company and plan.company:
        address["company"] = _fitted(recipient.company, plan.company, plan)


def _put_long_name(address: dict[str, str], name: str, recipient: Recipient, plan: plans.Plan) -> None:
    if plan.company and plan.name_continues_in_company and not recipient.company:
        parts = street_lines.fit([name], (plan.name.max_length, plan.company.max_length), plan.measure)
        if parts is not None:
            address.update(zip(("name", "company"), parts, strict=True))
            return
    raise _too_long("name", plan.measure(name), plan.name.max_length, plan)


def _put_lines(address: dict[str, str], recipient: Recipient, plan: plans.Plan) -> None:
    lines = [line if line.isascii() else unicodedata.normalize("NFC", line) for line in recipient.lines]
    if plan.locality_is_a_line and recipient.dependent_locality:
        lines.append(_nfc(recipient.dependent_locality))
    fitted = street_lines.fit(lines, plan.line_limits, plan.measure)
    if fitted is None:
        raise _lines_do_not_fit(lines, plan)
    for field, line in zip(LINE_FIELDS, fitted, strict=False):
        address[field] = line


def _fitted(value: str, step: plans.FieldStep, plan: plans.Plan) -> str:
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    if step.pattern is not None and step.pattern.fullmatch(value) is None:
        raise _postal_code_invalid(plan)
    if step.remove_separators:
        value = value.translate(_POSTAL_SEPARATORS)
    if plan.measure(value) > step.max_length:
        raise _too_long(step.name, plan.measure(value), step.max_length, plan)
    return value


def _put_contact(address: dict[str, str], value: str | None, step: plans.ContactStep, plan: plans.Plan) -> None:
    if not value:
        if step.required:
            raise _contact_missing(step.name, plan)
        return
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    if step.name == "phone" and plan.measure(value) > step.max_length:
        value = _compact_phone(value)
    fits = plan.measure(value) <= step.max_length
    if fits and (not step.min_digits or len(_NOT_DIGITS.sub("", value)) >= step.min_digits):
        address[step.name] = value
    elif step.required and fits:
        raise _phone_too_short(step, plan)
    elif step.required:
        raise _too_long(step.name, plan.measure(value), step.max_length, plan)


def _compact_phone(phone: str) -> str:
    # "(0)" behind a country code is only dialled at home: +49 (0)30 is +49 30.
    if phone.startswith("+"):
        phone = phone.replace("(0)", "")
    return phone.translate(_PHONE_SEPARATORS)


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _unit(plan: plans.Plan) -> str:
    return "characters" if plan.measure is len else "bytes"


def _missing(name: str, plan: plans.Plan) -> errors.Refused:
    reason = (
        f"the {_LABELS[name]} is missing, and carrier {plan.carrier} cannot deliver to this country without it: add it"
    )
    return errors.Refused(errors.RefusalCode.ADDRESS_INCOMPLETE, reason, f"ship_to.{name}")


def _contact_missing(name: str, plan: plans.Plan) -> errors.Refused:
    reason = (
        f"the {_LABELS[name]} is missing, and carrier {plan.carrier} does not ship to this country without one: "
        "ask the customer for it or choose another carrier"
    )
    return errors.Refused(errors.RefusalCode.CONTACT_MISSING, reason, f"ship_to.{name}")


def _phone_too_short(step: plans.ContactStep, plan: plans.Plan) -> errors.Refused:
    reason = (
        f"the phone number has fewer than the {step.min_digits} digits that carrier {plan.carrier} asks for: "
        "give it with its country code"
    )
    return errors.Refused(errors.RefusalCode.ADDRESS_INVALID, reason, f"ship_to.{step.name}")


def _postal_code_invalid(plan: plans.Plan) -> errors.Refused:
    example = f", for example {plan.postal_code_example}" if plan.postal_code_example else ""
    reason = f"the postcode does not have the form of this country{example}: correct it"
    return errors.Refused(errors.RefusalCode.ADDRESS_INVALID, reason, "ship_to.postal_code")


def _too_long(name: str, length: int, limit: int, plan: plans.Plan) -> errors.Refused:
    code_hint = " or use its postal code" if name == "region" else ""
    reason = (
        f"the {_LABELS[name]} is {length} {_unit(plan)} long and carrier {plan.carrier} takes {limit}: "
        f"shorten it{code_hint}"
    )
    return errors.Refused(errors.RefusalCode.ADDRESS_TOO_LONG, reason, f"ship_to.{name}")


def _lines_do_not_fit(lines: list[str], plan: plans.Plan) -> errors.Refused:
    lengths = [plan.measure(line) for line in lines]
    limits = plan.line_limits
    longest = max(range(len(lines)), key=lambda position: lengths[position])
    if lengths[longest] > min(limits):
        what = f"street line {longest + 1} is {lengths[longest]} {_unit(plan)} long"
    else:
        what = f"there are {len(lines)} street lines"
    each = str(limits[0]) if len(set(limits)) == 1 else " and ".join(map(str, limits))
    count = f"{len(limits)} lines" if len(limits) > 1 else "1 line"
    reason = (
        f"{what} and carrier {plan.carrier} takes {count} of {each}; "
        "even split on words it does not fit: shorten the address"
    )
    return errors.Refused(errors.RefusalCode.ADDRESS_TOO_LONG, reason, "ship_to.lines")
