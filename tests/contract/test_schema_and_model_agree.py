"""What the producers' JSON Schema allows, the models accept: nobody who validated first is refused later."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import registry
from schemas.errors import FieldErrors
from tests.contract.contracts import EXAMPLES, load, validator

ORDER_PLACED = registry.EVENTS["order.placed", 1]
VALID = load(EXAMPLES / "order.placed/v1/united_states_with_suite.json")

awkward = st.text(
    st.one_of(
        st.sampled_from("\0\t\n\r\x1f\x7f\x85\xa0\u200b\u200c\u200d\u200e\u2028\u202e\u2060\u2066\u3000\ufeff@ +"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=300,
)
scalars = st.one_of(awkward, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, width=32))
recipients = st.fixed_dictionaries(
    {},
    optional={
        **{name: scalars for name in VALID["ship_to"] if name != "lines"},
        "lines": st.one_of(scalars, st.lists(scalars, max_size=6)),
        "dependent_locality": scalars,
    },
)
events = st.fixed_dictionaries({}, optional={name: scalars for name in VALID if name != "ship_to"})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(recipients, events)
def test_what_the_schema_allows_the_model_accepts(recipient: dict[str, Any], event: dict[str, Any]) -> None:
    data = {**VALID, **event, "ship_to": {**VALID["ship_to"], **recipient}}
    for name in list(data["ship_to"]):  # one field at a time, or nearly every case would be refused by both
        one = {**VALID, "ship_to": {**VALID["ship_to"], name: data["ship_to"][name]}}
        _agree(one)
    for name in event:
        _agree({**VALID, name: event[name]})


def _agree(data: dict[str, Any]) -> None:
    allowed = validator(ORDER_PLACED, "producer").is_valid(data)
    try:
        model = registry.decode_data(ORDER_PLACED, json.dumps(data).encode())
    except FieldErrors:
        assert not allowed
        return
    # The model forgives surrounding white space; what it writes afterwards fits the schema.
    validator(ORDER_PLACED, "producer").validate(json.loads(registry.encode(model)))
