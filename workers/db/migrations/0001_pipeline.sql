-- The pipeline's own tables: where each worker stands, what it has applied, what is still to be published.

create table positions (
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null check (next_offset >= 0),
    advanced_at timestamptz not null default now(),
    primary key (consumer_group, topic, partition)
);
comment on table positions is
    'What each consumer group has applied: the offset of the next record. Moved by compare-and-set, in the transaction of the batch.';

create table events_seen (
    event_key uuid primary key,
    seen_at timestamptz not null default now()
);
comment on table events_seen is
    'Dedupe by CloudEvents (source, id): a keyed hash per consumer group. Kept longer than the longest replay.';
create index events_seen_seen_at on events_seen using brin (seen_at);

create table subjects (
    subject_id bigint generated always as identity primary key,
    reference_hash uuid not null unique,
    wrapped_key bytea not null,
    key_epoch integer not null,
    fenced_at timestamptz,
    created_at timestamptz not null default now()
);
comment on table subjects is
    'One row per person: a keyed hash of the customer reference and the data key, wrapped by a key epoch that lives outside the database.';
create index subjects_key_epoch on subjects (key_epoch);

create table shipments (
    shipment_id text primary key,
    subject_id bigint not null,
    carrier text not null,
    state text not null check (state in ('waiting', 'assigned', 'withdrawn', 'delivered')),
    revision integer not null check (revision >= 0),
    contact_consent boolean not null,
    recipient bytea,
    placed_at timestamptz not null,
    changed_at timestamptz not null default now()
);
comment on table shipments is
    'One row per order: where it stands, and the recipient sealed under the subject''s data key. No foreign key to subjects: it would cost a lock per order; erasure deletes by subject_id.';
create index shipments_subject_id on shipments (subject_id);

create table disclosures (
    subject_id bigint not null,
    shipment_id text not null,
    revision integer not null,
    recipient text not null,
    recipient_kind text not null default 'carrier',
    action text not null,
    fields text not null,
    purpose text not null default 'dpv:DeliveryOfGoods',
    legal_basis text not null,
    disclosed_at timestamptz not null default now(),
    primary key (subject_id, shipment_id, revision)
);
comment on table disclosures is
    'Who received which fields of whom, when, why and on which ground (GDPR 15(1)(c), 19). Field names only, separated by spaces, never values.';

create table outbox (
    lane text not null,
    position bigint not null,
    next_position bigint not null,
    occurred_at timestamptz not null,
    subject_ids bigint[] not null,
    records bytea not null,
    primary key (lane, position)
);
comment on table outbox is
    'What a committed batch still owes to Kafka: one row per lane and batch. `records` is MessagePack: [topic, key, event type, event id, reason, sealed value] for each of subject_ids, the value sealed under that subject''s key. Deleted once published.';
alter table outbox alter column records set storage external;

create table relay_shards (
    shard integer primary key,
    next_position bigint not null default 0
);
comment on table relay_shards is
    'Hands out relay positions under a row lock that is held to the commit, so that position order is commit order and has no gaps.';

create table dead_letters (
    dead_letter_id uuid primary key,
    fingerprint uuid not null unique,
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    record_offset bigint not null,
    code text not null,
    reason text not null,
    field text,
    event_type text,
    reference_hash uuid,
    state text not null check (state in ('parked', 'replaying', 'replayed', 'dropped')),
    seen_count integer not null default 1,
    replay_count integer not null default 0,
    wrapped_key bytea,
    key_epoch integer,
    sealed bytea,
    parked_at timestamptz not null,
    changed_at timestamptz not null
);
comment on table dead_letters is
    'Refused records, sealed whole under a key of their own (card data: not kept at all), with the reason in plain words and where they came from.';
create index dead_letters_state on dead_letters (consumer_group, state, parked_at);
create index dead_letters_reference_hash on dead_letters (reference_hash);

create table keyring_checks (
    purpose text primary key,
    check_value bytea not null
);
comment on table keyring_checks is
    'A hash made with each look-up key when the database was first migrated: a wrong or new keyring is noticed before any row is written.';
