"""What each column may hold: a new one has to be classified here before it can be added.

`none`       nothing about a person
`pseudonym`  a number, a reference or a keyed hash that stands for a person or their order
`sealed`     personal data, or a key to it, encrypted under a key that lies outside the database
"""

import asyncpg

from workers.db import migrate

CLASSES = {
    "carrier_notices": {"none": "carrier told_at outcome acknowledged_at", "pseudonym": "withdrawal_hash request_id"},
    "certificate_head": {"none": "only_row sequence hash"},
    "certificates": {"none": "sequence outcome issued_at hash document", "pseudonym": "request_id"},
    "consent_events": {
        "none": "consent_event_id event_type event_state event_time recorded_at entity collection_method "
        "privacy_notice language",
        "pseudonym": "record_id",
        "sealed": "evidence",
    },
    "consents": {
        "none": "purpose status privacy_notice changed_at expires_at renewal_requested_at",
        "pseudonym": "record_id contact_id",
    },
    "contacts": {
        "none": "language soft_bounces soft_bounced_at undeliverable_since last_own_contact_at created_at",
        "pseudonym": "contact_id email_hash subject_id reference_hash",
        "sealed": "sealed",
    },
    "dead_letters": {
        "none": "code consumer_group topic partition record_offset reason field event_type state seen_count "
        "replay_count key_epoch parked_at changed_at",
        "pseudonym": "dead_letter_id fingerprint reference_hash",
        "sealed": "wrapped_key sealed",
    },
    "disclosures": {
        "none": "revision recipient recipient_kind action fields purpose legal_basis disclosed_at acknowledged_at",
        "pseudonym": "subject_id shipment_id",
    },
    "erased_references": {"none": "erased_at", "pseudonym": "reference_hash"},
    "erasure_rounds": {
        "none": "round_id state key_epoch fenced_at effective_at inbound trimmed_at compacted_at shredded_at residence",
        "pseudonym": "withdrawn",
    },
    "events_seen": {"none": "seen_at", "pseudonym": "event_key"},
    "floods": {"none": "kind window_start count", "pseudonym": "flood_hash"},
    "inbox_mails": {
        "none": "state flow outcome attempts size_bytes key_epoch received_at changed_at",
        "pseudonym": "inbox_mail_id fingerprint mail_id sender_hash",
        "sealed": "wrapped_key sealed",
    },
    "issues": {
        "none": "issue_id name purpose state content send_at reached_contact_id prepared created_at changed_at",
    },
    "key_epochs": {"none": "epoch current_since destroyed_at"},
    "keyring_checks": {"none": "purpose check_value"},
    "mails": {
        "none": "issue_id template language class purpose state attempts next_attempt_at claimed_by claimed_until "
        "smtp_code reason created_at changed_at sent_at",
        "pseudonym": "mail_id contact_id subject_id dedupe_key",
        "sealed": "sealed",
    },
    "migrations": {"none": "name checksum applied_at"},
    "outbox": {"none": "lane position next_position occurred_at", "pseudonym": "subject_ids", "sealed": "records"},
    "policy_versions": {
        "none": "version effective material summaries state reached_contact_id reached_subject_id mails published_at "
        "changed_at",
    },
    "positions": {"none": "consumer_group topic partition next_offset advanced_at"},
    "relay_shards": {"none": "shard next_position"},
    "request_events": {
        "none": "request_event_id move state reason actor note happened_at",
        "pseudonym": "request_id",
    },
    "request_identities": {"pseudonym": "identity_hash request_id"},
    "request_stores": {
        "none": "store state attempts due_at counts kept backups_expire_at reason erased_at verified_at",
        "pseudonym": "subject_ref request_id task_id",
    },
    "request_tokens": {"none": "expires_at used_at", "pseudonym": "token_hash request_id"},
    "requests": {
        "none": "request_type state reason step channel language round_id own verified_by hold_until received_at "
        "verified_at due_at closed_at changed_at certificate",
        "pseudonym": "request_id key_subject_id subject_ids joined mail_id",
        "sealed": "sealed",
    },
    "restores": {"none": "restore_id began_at finished_at report"},
    "shipments": {
        "none": "carrier state revision contact_consent placed_at changed_at",
        "pseudonym": "shipment_id subject_id email_hash",
        "sealed": "recipient",
    },
    "staff_disclosures": {
        "none": "disclosure_id fields ground disclosed_at",
        "pseudonym": "dead_letter_id reference_hash recipient",
    },
    "store_jobs": {
        "none": "store action subject_count attempts next_attempt_at respond_by claimed_by claimed_until reason "
        "asked_at key_epoch created_at",
        "pseudonym": "store_job_id task_id token_hash",
        "sealed": "wrapped_key sealed",
    },
    "store_states": {"none": "store failures_in_a_row open_until reason failed_at answered_at"},
    "subjects": {
        "none": "key_epoch fenced_at not_before created_at",
        "pseudonym": "subject_id reference_hash",
        "sealed": "wrapped_key",
    },
    "suppressions": {"none": "purpose reason since", "pseudonym": "suppression_hash"},
    "tokens": {
        "none": "kind created_at expires_at used_at",
        "pseudonym": "token_hash contact_id record_id",
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
