"""The part of a recipient that one carrier needs, fitted to its limits: nothing cut, nothing invented."""

import unicodedata
from typing import Final

from schemas.recipient import Recipient
from workers.domain import address_refusals, plans, street_lines
from workers.domain.carriers import Carrier

LINE_FIELDS: Final = ("line1", "line2", "line3", "line4")
_POSTAL_SEPARATORS: Final = str.maketrans("", "", " -")
_PHONE_SEPARATORS: Final = str.maketrans("", "", " ()./-")


def project(recipient: Recipient, carrier: Carrier, consent: bool) -> dict[str, str]:
    """The address fields for `carrier`, in the order of the wire, absent fields left out.

    Texts are Unicode NFC. Phone and e-mail go as the carrier's rule says, `consent` being the person's
    agreement to delivery notices; one that goes by consent only and does not fit is left out whole. Raises
    `errors.Refused` if the country or the carrier needs what is missing, or if something does not fit.
    """
    plan = carrier.plans.get(recipient.country_code) or carrier.plan(recipient.country_code)
    address: dict[str, str] = {}
    _put_names(address, recipient, plan)
    _put_lines(address, recipient, plan)
    for step, value in zip(plan.rest, plan.read_rest(recipient), strict=False):
        if value:
            address[step.name] = _fitted(value, step, plan)
        elif step.required:
            raise address_refusals.missing(step.name, plan)
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
    raise address_refusals.too_long("name", plan.measure(name), plan.name.max_length, plan)


def _put_lines(address: dict[str, str], recipient: Recipient, plan: plans.Plan) -> None:
    lines = [line if line.isascii() else unicodedata.normalize("NFC", line) for line in recipient.lines]
    if plan.locality_is_a_line and recipient.dependent_locality:
        lines.append(_nfc(recipient.dependent_locality))
    fitted = street_lines.fit(lines, plan.line_limits, plan.measure)
    if fitted is None:
        raise address_refusals.lines_do_not_fit(lines, plan)
    address.update(zip(LINE_FIELDS, fitted, strict=False))


def _fitted(value: str, step: plans.FieldStep, plan: plans.Plan) -> str:
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    if step.pattern is not None and step.pattern.fullmatch(value) is None:
        raise address_refusals.postal_code_invalid(plan)
    if step.remove_separators:
        value = value.translate(_POSTAL_SEPARATORS)
    if plan.measure(value) > step.max_length:
        raise address_refusals.too_long(step.name, plan.measure(value), step.max_length, plan)
    return value


def _put_contact(address: dict[str, str], value: str | None, step: plans.ContactStep, plan: plans.Plan) -> None:
    if not value:
        if step.required:
            raise address_refusals.contact_missing(step.name, plan)
        return
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    if step.name == "phone" and plan.measure(value) > step.max_length:
        value = _compact_phone(value)
    fits = plan.measure(value) <= step.max_length
    if fits and (step.enough is None or step.enough.match(value)):
        address[step.name] = value
    elif step.required and fits:
        raise address_refusals.phone_too_short(step, plan)
    elif step.required:
        raise address_refusals.too_long(step.name, plan.measure(value), step.max_length, plan)


def _compact_phone(phone: str) -> str:
    # "(0)" behind a country code is only dialled at home: +49 (0)30 is +49 30.
    if phone.startswith("+"):
        phone = phone.replace("(0)", "")
    return phone.translate(_PHONE_SEPARATORS)


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
