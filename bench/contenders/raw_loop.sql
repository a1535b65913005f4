-- name: create
create table positions (
    topic text not null, partition integer not null, next_offset bigint not null, primary key (topic, partition)
);
create table events_seen (event_key uuid primary key);
create table subjects (
    subject_id bigint generated always as identity primary key,
    reference_hash uuid not null unique,
    wrapped_key bytea not null,
    fenced boolean not null default false
);
create table shipments (
    shipment_id text primary key,
    subject_id bigint not null,
    carrier text not null,
    state text not null,
    contact_consent boolean not null,
    recipient bytea not null,
    placed_at timestamptz not null default now()
);
create index on shipments (subject_id);
create table disclosures (
    subject_id bigint not null,
    shipment_id text not null,
    recipient text not null,
    fields text not null,
    purpose text not null default 'dpv:DeliveryOfGoods',
    legal_basis text not null,
    disclosed_at timestamptz not null default now(),
    primary key (subject_id, shipment_id)
);
create table outbox (
    partition integer not null,
    position bigint not null,
    subject_ids bigint[] not null,
    records bytea not null,
    primary key (partition, position)
);
alter table outbox alter column records set storage external;

-- name: start
insert into positions (topic, partition, next_offset) values ($1, $2, 0) on conflict do nothing

-- name: advance
update positions as stored set next_offset = moved.next_offset
from unnest($2::integer[], $3::bigint[], $4::bigint[]) as moved (partition, expected_offset, next_offset)
where stored.topic = $1 and stored.partition = moved.partition and stored.next_offset = moved.expected_offset
returning stored.partition

-- name: claim
with wanted as (select unnest($1::text::uuid[]) as event_key),
fresh as (insert into events_seen (event_key) select event_key from wanted on conflict do nothing returning event_key)
select encode(uuid_send(event_key), 'hex') from wanted where event_key not in (select event_key from fresh)

-- name: hold
select wanted.place, subject_id, wrapped_key
from unnest($1::text::uuid[]) with ordinality as wanted (reference_hash, place)
join subjects using (reference_hash)
where not fenced for share of subjects

-- name: add_subjects
with wanted as (
    select reference_hash, wrapped_key, place
    from unnest($1::text::uuid[], $2::bytea[]) with ordinality as wanted (reference_hash, wrapped_key, place)
),
created as (
    insert into subjects (reference_hash, wrapped_key) select reference_hash, wrapped_key from wanted order by place
    returning subject_id, reference_hash
)
select place, subject_id from created join wanted using (reference_hash)

-- name: add_outbox
insert into outbox (partition, position, subject_ids, records) values ($1, $2, $3::text::bigint[], $4)

-- name: tidy
delete from outbox using unnest($1::integer[], $2::bigint[]) as published (partition, next_offset)
where outbox.partition = published.partition and outbox.position < published.next_offset
