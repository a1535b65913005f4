"""What each column may hold: a new one has to be classified here before it can be added.

`none`       nothing about a person
`pseudonym`  a number, a reference or a keyed hash that stands for a person or their order
`sealed`     personal data, or a key to it, encrypted under a key that lies outside the database
"""

import asyncpg

from workers.db import migrate

CLASSES = {
    "dead_letters": {
        "none": "code consumer_group topic partition record_offset reason field event_type state seen_count "
        "replay_count key_epoch parked_at changed_at",
        "pseudonym": "dead_letter_id fingerprint reference_hash",
        "sealed": "wrapped_key sealed",
    },
    "disclosures": {
        "none": "revision recipient recipient_kind action fields purpose legal_basis disclosed_at",
        "pseudonym": "subject_id shipment_id",
    },
    "events_seen": {"none": "seen_at", "pseudonym": "event_key"},
    "keyring_checks": {"none": "purpose check_value"},
    "migrations": {"none": "name checksum applied_at"},
    "outbox": {"none": "lane position next_position occurred_at", "pseudonym": "subject_ids", "sealed": "records"},
    "positions": {"none": "consumer_group topic partition next_offset advanced_at"},
    "relay_shards": {"none": "shard next_position"},
    "shipments": {
        "none": "carrier state revision contact_consent placed_at changed_at",
        "pseudonym": "shipment_id subject_id",
        "sealed": "recipient",
    },
    "staff_disclosures": {
        "none": "disclosure_id fields ground disclosed_at",
        "pseudonym": "dead_letter_id reference_hash recipient",
    },
    "subjects": {
        "none": "key_epoch fenced_at created_at",
        "pseudonym": "subject_id reference_hash",
        "sealed": "wrapped_key",
    },
}
COLUMNS = """
select table_name, column_name, data_type from information_schema.columns where table_schema = 'public'
"""


async def test_every_column_is_classified_and_what_is_sealed_is_bytes(database: str) -> None:
    connection = await asyncpg.connect(database)
    await migrate.apply(connection)
    types = {(row["table_name"], row["column_name"]): row["data_type"] for row in await connection.fetch(COLUMNS)}
    await connection.close()
    classified = {
        (table, column): kind
        for table, kinds in CLASSES.items()
        for kind, columns in kinds.items()
        for column in columns.split()
    }
    assert classified.keys() == types.keys()
    assert {types[place] for place, kind in classified.items() if kind == "sealed"} == {"bytea"}
    assert {
        types[place]
        for place, kind in classified.items()
        if place[1].endswith(("_hash", "_key")) and kind == "pseudonym"
    } == {"uuid"}
