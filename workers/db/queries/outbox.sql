-- name: add
insert into outbox (lane, position, next_position, occurred_at, subject_ids, records)
values ($1, $2, $3, $4, $5::text::bigint[], $6)

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
