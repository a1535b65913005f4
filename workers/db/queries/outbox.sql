-- name: add
insert into outbox (lane, position, next_position, occurred_at, subject_ids, records)
values ($1, $2, $3, $4, $5::text::bigint[], $6)

-- name: add_behind
-- Returns the subjects of whom records wait in another lane ($7), which must go out before these. Most of what waits
-- there is about nobody (subject 0); that is looked at first, and the text is read once, not once a row.
insert into outbox (lane, position, next_position, occurred_at, subject_ids, records)
values ($1, $2, $3, $4, $5::text::bigint[], $6)
returning (
    select array_agg(distinct subject_id)
    from outbox as ahead, unnest(ahead.subject_ids) as waiting (subject_id)
    where ahead.lane = $7
        and case when 0 < any(ahead.subject_ids) then ahead.subject_ids && (select $5::text::bigint[]) end
        and subject_id = any((select $5::text::bigint[])::bigint[])
)

-- name: take_back
delete from outbox where lane = $1 and position = $2

-- name: waits_in_other_lanes
select exists (select from outbox where lane <> $1 and subject_ids && $2::text::bigint[])

-- name: read
select position, next_position, occurred_at, subject_ids, records
from outbox where lane = $1 and position >= $2 and position < $3 order by position limit $4

-- name: oldest_position
select min(position) from outbox where lane = $1

-- name: delete_before
delete from outbox where lane = $1 and position < $2

-- name: next_relay_positions
-- The row lock is held until the commit, so a later position is always committed later.
insert into relay_shards (shard, next_position) values ($1, $2)
on conflict (shard) do update set next_position = relay_shards.next_position + $2
returning next_position

-- name: relay_position
select next_position from relay_shards where shard = $1
