-- name: relay_positions
select shard, next_position from relay_shards

-- name: unfinished
select max(restore_id) from restores where finished_at is null

-- name: sessions
-- Workers and commands that are connected; this one is not counted.
select count(*) from pg_stat_activity
where datname = current_database() and application_name in ('lethe', 'lethe worker') and pid <> pg_backend_pid()

-- name: begin
insert into restores (began_at) values ($1)

-- name: finish
update restores set finished_at = $1, report = $2::text::jsonb where finished_at is null

-- name: raise_relay_position
insert into relay_shards (shard, next_position) values ($1, $2)
on conflict (shard) do update set next_position = greatest(relay_shards.next_position, excluded.next_position)

-- name: positions
select consumer_group, topic, partition, next_offset from positions order by consumer_group, topic, partition

-- name: move_position
update positions set next_offset = $4, advanced_at = now()
where consumer_group = $1 and topic = $2 and partition = $3 and next_offset < $4

-- name: unknown_erasures
-- Those of these erasures that happened after the backup was taken.
select reference_hash, erased_at from unnest($1::uuid[], $2::timestamptz[]) as told (reference_hash, erased_at)
where not exists (
    select from erased_references as known
    where known.reference_hash = told.reference_hash and known.erased_at >= told.erased_at
)

-- name: subjects_of
select subject_id from subjects where reference_hash = any($1::uuid[]) order by subject_id

-- name: record_erased
insert into erased_references (reference_hash, erased_at)
select reference_hash, erased_at from unnest($1::uuid[], $2::timestamptz[]) as told (reference_hash, erased_at)
on conflict (reference_hash) do update set erased_at = greatest(erased_references.erased_at, excluded.erased_at)

-- name: unreadable_subjects
select subject_id from subjects where key_epoch = any($1::integer[]) order by subject_id limit $2

-- name: drop_unreadable_letters
update dead_letters set state = 'dropped', changed_at = $2, sealed = null, wrapped_key = null, key_epoch = null
where key_epoch = any($1::integer[])

-- name: drop_unreadable_mails
update inbox_mails set state = 'done', changed_at = $2, sealed = null, wrapped_key = null, key_epoch = null
where key_epoch = any($1::integer[])

-- name: drop_unreadable
-- <table> stands for any table whose rows are worth nothing without their key.
delete from <table> where key_epoch = any($1::integer[])

-- name: contact_hashes
select email_hash from contacts where subject_id = any($1::bigint[])

-- name: forget_request_keys
-- The confirmation of these requests was sent, and its key destroyed, after the backup was taken.
update requests set key_subject_id = null, sealed = null where key_subject_id = any($1::bigint[])

-- name: suppress
insert into suppressions (suppression_hash, purpose, reason, since)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
on conflict (suppression_hash, purpose) do update set reason = excluded.reason, since = excluded.since
where suppressions.since <= excluded.since

-- name: lift
delete from suppressions as stored
using unnest($1::uuid[], $2::text[], $3::timestamptz[]) as lifted (suppression_hash, purpose, since)
where stored.suppression_hash = lifted.suppression_hash and stored.purpose = lifted.purpose
    and stored.since <= lifted.since

-- name: valid_consents
select contact_id, purpose from consents
where status in ('ConsentGiven', 'RenewedConsentGiven') and contact_id > $1
order by contact_id limit $2

-- name: cancel_marketing
-- Whether they were sent after the backup was taken is not known: a mail that needs consent is not sent twice.
update mails set state = 'cancelled', changed_at = $1, reason = 'the database was restored from a backup'
where class = 'marketing' and issue_id is null and state in ('intent', 'claimed', 'unknown')

-- name: pause_issues
update issues set state = 'paused', changed_at = $1
where state = 'sending' or (state = 'scheduled' and send_at <= $1)
returning name

-- name: close_requests
-- They ended after the backup was taken; the confirmation is on its way or was sent, and is not sent again.
update requests as stored
set state = told.state, reason = told.reason, certificate = told.certificate, step = 'certified',
    closed_at = told.closed_at, changed_at = told.closed_at
from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[])
    as told (request_id, state, reason, certificate, closed_at)
where stored.request_id = told.request_id and stored.closed_at is null
returning stored.request_id

-- name: forget_stores
delete from request_stores
where request_id = any($1::uuid[]) and state in ('to_erase', 'erasing', 'to_verify', 'verifying')

-- name: unknown_requests
select request_id from unnest($1::uuid[]) as told (request_id)
where not exists (select from requests where requests.request_id = told.request_id)

-- name: close_unreadable_requests
-- Their keys were destroyed after their end, and nothing told how they ended.
update requests set state = 'partly_completed', reason = 'other', step = 'certified', closed_at = $1, changed_at = $1
where closed_at is null and key_subject_id is null and sealed is null and joined is null
