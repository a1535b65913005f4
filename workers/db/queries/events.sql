-- name: claim
-- Returns the keys that were not seen before; they are seen from the commit on.
insert into events_seen (event_key) select unnest($1::uuid[]) on conflict do nothing returning event_key

-- name: release
-- A refused event is not seen: its corrected repetition or its replay must still have its effect.
delete from events_seen where event_key = any($1::uuid[])

-- name: forget_before
delete from events_seen where seen_at < $1
