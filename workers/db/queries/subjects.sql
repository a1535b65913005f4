-- name: hold
-- Shared row locks until the commit: a fence (an update of the row) waits for what is being applied.
select subject_id, reference_hash, wrapped_key, key_epoch, fenced_at is not null as fenced
from subjects where reference_hash = any($1::bytea[])
for share

-- name: create
insert into subjects (reference_hash, wrapped_key, key_epoch)
select hash, wrapped_key, $3 from unnest($1::bytea[], $2::bytea[]) as fresh (hash, wrapped_key)
on conflict (reference_hash) do nothing
returning subject_id, reference_hash

-- name: hold_by_id
-- Fenced subjects are left out: nothing about them may leave.
select subject_id, reference_hash, wrapped_key, key_epoch
from subjects where subject_id = any($1::bigint[]) and fenced_at is null
for share
