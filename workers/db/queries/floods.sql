-- name: allow
-- A sliding window from two fixed ones: what was counted in the one before weighs as much as still overlaps.
with before as (
    select coalesce(sum(count), 0) * $6::float8 as weight from floods
    where flood_hash = $1 and kind = $2 and window_start = $4
)
insert into floods (flood_hash, kind, window_start, count)
select $1, $2, $3, 1 from before where weight <= $5 - 1
on conflict (flood_hash, kind, window_start) do update set count = floods.count + 1
    where floods.count + (select weight from before) <= $5 - 1
returning true

-- name: forget_before
delete from floods where window_start < $1
