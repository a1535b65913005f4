-- name: read
select next_offset from positions where consumer_group = $1 and topic = $2 and partition = $3

-- name: start
-- The first owner of a partition decides where the group begins; a second one reads what the first decided.
insert into positions (consumer_group, topic, partition, next_offset) values ($1, $2, $3, $4)
on conflict do nothing

-- name: advance
-- Compare and set: only the worker that has applied everything before may move on. Returns the partitions moved.
update positions as stored
set next_offset = moved.next_offset, advanced_at = now()
from unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[])
    as moved (topic, partition, expected_offset, next_offset)
where stored.consumer_group = $1 and stored.topic = moved.topic and stored.partition = moved.partition
    and stored.next_offset = moved.expected_offset
returning stored.topic, stored.partition

-- name: of_group
select topic, partition, next_offset, advanced_at from positions where consumer_group = $1
