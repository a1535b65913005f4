"""Why an address cannot go to a carrier, for the clerk who repairs it. No value of the address is named."""

from typing import Final

from workers import errors
from workers.domain.plans import ContactStep, Plan

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


def _unit(plan: Plan) -> str:
    return "characters" if plan.measure is len else "bytes"


def missing(name: str, plan: Plan) -> errors.Refused:
    """A field that the country or the carrier needs is not given."""
    reason = (
        f"the {_LABELS[name]} is missing, and carrier {plan.carrier} cannot deliver to this country without it: add it"
    )
    return errors.Refused(errors.RefusalCode.ADDRESS_INCOMPLETE, reason, f"ship_to.{name}")


def contact_missing(name: str, plan: Plan) -> errors.Refused:
    """The carrier cannot ship without a phone number or e-mail address that is not given."""
    reason = (
        f"the {_LABELS[name]} is missing, and carrier {plan.carrier} does not ship to this country "
        "without one: ask the customer for it or choose another carrier"
    )
    return errors.Refused(errors.RefusalCode.CONTACT_MISSING, reason, f"ship_to.{name}")


def phone_too_short(step: ContactStep, plan: Plan) -> errors.Refused:
    """The carrier cannot ship without a whole phone number."""
    reason = (
        f"the phone number has fewer than the {step.min_digits} digits that carrier {plan.carrier} asks for: "
        "give it with its country code"
    )
    return errors.Refused(errors.RefusalCode.ADDRESS_INVALID, reason, f"ship_to.{step.name}")


def postal_code_invalid(plan: Plan) -> errors.Refused:
    """The postcode is none of its country."""
    example = f", for example {plan.postal_code_example}" if plan.postal_code_example else ""
    reason = f"the postcode does not have the form of this country{example}: correct it"
    return errors.Refused(errors.RefusalCode.ADDRESS_INVALID, reason, "ship_to.postal_code")


def too_long(name: str, length: int, limit: int, plan: Plan) -> errors.Refused:
    """A field is longer than the carrier takes, and cannot be split."""
    code_hint = " or use its postal code" if name == "region" else ""
    reason = (
        f"the {_LABELS[name]} is {length} {_unit(plan)} long and carrier {plan.carrier} takes {limit}: "
        f"shorten it{code_hint}"
    )
    return errors.Refused(errors.RefusalCode.ADDRESS_TOO_LONG, reason, f"ship_to.{name}")


def lines_do_not_fit(lines: list[str], plan: Plan) -> errors.Refused:
    """The street lines do not fit, even split on words."""
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
