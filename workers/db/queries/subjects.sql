-- name: hold
-- Shared row locks until the commit: a fence (an update of the row) waits for what is being applied.
select wanted.place, subject_id, wrapped_key, key_epoch, fenced_at is not null as fenced,
    coalesce(fenced_at, not_before) as not_before
from unnest($1::text::uuid[]) with ordinality as wanted (reference_hash, place)
join subjects using (reference_hash)
for share of subjects

-- name: create
-- Creates nothing once a rotation has switched to another key epoch.
with wanted as (
    select reference_hash, wrapped_key, place
    from unnest($1::text::uuid[], $2::bytea[]) with ordinality as wanted (reference_hash, wrapped_key, place)
    where (select hold_wrapping_epoch($3))
),
created as (
    insert into subjects (reference_hash, wrapped_key, key_epoch, not_before)
    select reference_hash, wrapped_key, $3, erased_at from wanted left join erased_references using (reference_hash)
    order by place
    on conflict (reference_hash) do nothing
    returning subject_id, reference_hash, not_before
)
select place, subject_id, not_before from created join wanted using (reference_hash)

-- name: hold_by_id
-- Fenced subjects are left out: nothing about them may leave.
select subject_id, reference_hash, wrapped_key, key_epoch
from subjects where subject_id = any($1::text::bigint[]) and fenced_at is null
for share

-- name: erased
select wanted.place, erased_at
from unnest($1::text::uuid[]) with ordinality as wanted (reference_hash, place)
join erased_references using (reference_hash)

-- name: forget
delete from subjects where subject_id = any($1::text::bigint[])
