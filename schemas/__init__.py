"""The contracts: what goes over Kafka, field by field, as frozen pydantic models.

One module per subject (`order`, `recipient`, `address`, `dead_letter`); `envelope` reads and writes
CloudEvents; `registry` says which model belongs to an event type and decodes it; `examples/` are tests;
`json/` and `released/` hold the generated and the released JSON Schema, and `python -m schemas check` fails
on a breaking difference.
"""
