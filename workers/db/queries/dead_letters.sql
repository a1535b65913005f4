-- name: park
-- The same record of the same event, published twice, is one dead letter that was seen twice. An expired one gives way
-- first (forget_expired), so that it is parked anew.
insert into dead_letters (
    dead_letter_id, fingerprint, consumer_group, topic, partition, record_offset, code, reason, field, event_type,
    reference_hash, state, wrapped_key, key_epoch, sealed, parked_at, changed_at
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'parked', $12, $13, $14, $15, $15)
on conflict (fingerprint) do update set seen_count = dead_letters.seen_count + 1, changed_at = excluded.changed_at
returning (xmax = 0) as is_new

-- name: forget_expired
delete from dead_letters where fingerprint = any($1::uuid[]) and state = 'expired'

-- name: list
select dead_letter_id, consumer_group, topic, partition, record_offset, code, reason, field, event_type, state,
    seen_count, replay_count, sealed is not null as body_kept, parked_at, changed_at
from dead_letters
where ($1::text is null or code = $1) and ($2::text is null or state = $2)
    and ($3::text is null or consumer_group = $3)
order by parked_at, topic, partition, record_offset
limit $4

-- name: count_by_code
select consumer_group, code, state, count(*) as letters, sum(seen_count)::bigint as seen
from dead_letters group by consumer_group, code, state order by consumer_group, code, state

-- name: find
select dead_letter_id, consumer_group, topic, partition, record_offset, code, reason, field, event_type, state,
    seen_count, replay_count, wrapped_key, key_epoch, sealed, parked_at, changed_at
from dead_letters where dead_letter_id = $1

-- name: find_by_prefix
-- The beginning of an id, as a person copies it; two rows are enough to tell that it is not unique.
select dead_letter_id, consumer_group, topic, partition, record_offset, code, reason, field, event_type, state,
    seen_count, replay_count, sealed is not null as body_kept, parked_at, changed_at
from dead_letters where starts_with(dead_letter_id::text, $1) limit 2

-- name: read
select dead_letter_id, consumer_group, topic, partition, record_offset, code, reason, field, event_type, state,
    seen_count, replay_count, sealed is not null as body_kept, parked_at, changed_at
from dead_letters where dead_letter_id = any($1::uuid[])

-- name: request_replay
-- Only what is parked and whose body was kept can be applied again.
update dead_letters set state = 'replaying', changed_at = $2
where dead_letter_id = any($1::uuid[]) and state = 'parked' and sealed is not null
returning dead_letter_id

-- name: take_replay
select dead_letter_id, fingerprint, topic, partition, record_offset, wrapped_key, key_epoch, sealed
from dead_letters where consumer_group = $1 and state = 'replaying'
order by topic, partition, record_offset limit $2
for update skip locked

-- name: finish_replay
update dead_letters set state = 'replayed', replay_count = replay_count + 1, changed_at = $2, sealed = null,
    wrapped_key = null, key_epoch = null
where dead_letter_id = $1

-- name: park_again
update dead_letters set state = 'parked', replay_count = replay_count + 1, changed_at = $2, code = $3, reason = $4,
    field = $5, sealed = case when $6 then sealed end, wrapped_key = case when $6 then wrapped_key end,
    key_epoch = case when $6 then key_epoch end
where dead_letter_id = $1

-- name: drop
update dead_letters set state = 'dropped', changed_at = $2, sealed = null, wrapped_key = null, key_epoch = null
where dead_letter_id = any($1::uuid[]) and state in ('parked', 'replaying')
returning dead_letter_id

-- name: expire
-- What nobody looked after in time is let go: the sealed copy is deleted, the reason stays.
with expired as (
    update dead_letters set state = 'expired', changed_at = $3, sealed = null, wrapped_key = null, key_epoch = null
    where consumer_group = $1 and state = 'parked' and parked_at < $2
    returning code
)
select code, count(*) as letters from expired group by code order by code

-- name: record_disclosure
insert into staff_disclosures (dead_letter_id, reference_hash, recipient, fields, ground, disclosed_at)
select dead_letter_id, reference_hash, $2, 'the whole event', $3, $4 from dead_letters where dead_letter_id = $1

-- name: waiting_of
-- Erased persons of whom something that came after the fence waits to be replayed.
select distinct reference_hash from dead_letters
where consumer_group = $1 and reference_hash = any($2::uuid[]) and code = 'subject_fenced' and state = 'replaying'

-- name: queue_behind
update dead_letters set state = 'replaying', changed_at = $3
where consumer_group = $1 and reference_hash = any($2::uuid[]) and code = 'subject_fenced' and state = 'parked'
    and sealed is not null
