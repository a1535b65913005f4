-- name: lock_opening
-- Requests are opened one transaction after the other: otherwise two of the same person would not see each other.
select pg_advisory_xact_lock(hashtextextended('lethe.requests.open', 0))

-- name: open_of_identities
-- Open requests that know their person by one of these, and by how many identities in all.
select identity_hash, request_id, verified_at is not null as verified,
    (select count(*) from request_identities as every where every.request_id = requests.request_id) as identities
from request_identities join requests using (request_id)
where identity_hash = any($1::uuid[]) and closed_at is null and joined is null
order by received_at

-- name: insert
insert into requests (
    request_id, request_type, state, channel, language, key_subject_id, sealed, joined, verified_by, received_at,
    verified_at, due_at, changed_at
)
select request_id, 'erasure', state, channel, language, key_subject_id, sealed, joined, verified_by, $9,
    case when verified_by is not null then $9::timestamptz end, due_at, $9
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::uuid[], $8::text[],
    $10::timestamptz[])
    as opened (request_id, state, channel, language, key_subject_id, sealed, joined, verified_by, due_at)
on conflict (request_id) do nothing
returning request_id

-- name: insert_identities
insert into request_identities (identity_hash, request_id)
select identity_hash, request_id from unnest($1::uuid[], $2::uuid[]) as known (identity_hash, request_id)
on conflict do nothing

-- name: join_to
-- What was asked before without a proof of identity is answered with the request that has one, and what had joined that.
update requests set joined = $2, changed_at = $3
where (request_id = any($1::uuid[]) or joined = any($1::uuid[])) and closed_at is null

-- name: lock
select request_id, request_type, state, reason, step, channel, language, key_subject_id, sealed, subject_ids, joined,
    received_at, verified_at, due_at, hold_until, closed_at, certificate
from requests where request_id = any($1::uuid[])
order by request_id
for update

-- name: move
update requests as stored
set state = moved.state, reason = moved.reason, changed_at = $4::timestamptz,
    closed_at = case when moved.state in ('completed', 'partly_completed', 'refused', 'cancelled')
        then $4::timestamptz end
from unnest($1::uuid[], $2::text[], $3::text[]) as moved (request_id, state, reason)
where stored.request_id = moved.request_id

-- name: verified
update requests set verified_at = $2, verified_by = $3 where request_id = any($1::uuid[]) and verified_at is null

-- name: record
insert into request_events (request_id, move, state, reason, actor, note, happened_at)
select request_id, move, state, reason, actor, note, $7
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    as happened (request_id, move, state, reason, actor, note)
returning request_event_id, request_id

-- name: joined_to
-- Those that end with these: the open ones, and those that ended in part with them.
select request_id, request_type, state, language, key_subject_id, received_at, due_at, joined
from requests where joined = any($1::uuid[]) and (closed_at is null or state = 'partly_completed')
order by request_id
for update

-- name: hold_until
update requests set hold_until = $2 where request_id = any($1::uuid[])

-- name: forget_identities
delete from request_identities where request_id = any($1::uuid[])

-- name: forget_tokens
delete from request_tokens where request_id = any($1::uuid[])

-- name: issue_token
insert into request_tokens (token_hash, request_id, expires_at) values ($1, $2, $3)

-- name: look_at_token
select request_id, expires_at, used_at, state, language
from request_tokens join requests using (request_id) where token_hash = $1

-- name: use_token
update request_tokens set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2
returning request_id

-- name: list
select request_id, request_type, state, reason, step, channel, language, received_at, verified_at, due_at, closed_at,
    certificate, joined
from requests
where ($1::text is null or state = $1) and (not $2 or closed_at is null)
order by due_at, request_id
limit $3

-- name: find
select request_id, request_type, state, reason, step, channel, language, received_at, verified_at, verified_by, due_at,
    hold_until, closed_at, certificate, joined, own, round_id
from requests where starts_with(request_id::text, $1) limit 2

-- name: events
select move, state, reason, actor, note, happened_at from request_events where request_id = $1
order by request_event_id

-- name: stores
select store, state, attempts, due_at, counts, kept, backups_expire_at, reason, erased_at, verified_at
from request_stores where request_id = $1 order by store

-- name: count_open
select state, count(*) as requests, min(due_at) as first_due, min(received_at) as oldest
from requests where closed_at is null group by state

-- name: annotate
update request_events set note = $2 where request_id = $1

-- name: due
-- The first of the open requests whose deadline is in this window, and how many there are.
select request_id, state, due_at, count(*) over () as requests
from requests where closed_at is null and due_at > $1 and due_at <= $2
order by due_at, request_id limit 1
