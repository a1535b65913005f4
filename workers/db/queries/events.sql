-- name: claim
-- Returns the keys that were seen before; the others are seen from the commit on. Arrays travel as text literals:
-- the client's encoder costs several times as much as the server's parser.
with wanted as (select unnest($1::text::uuid[]) as event_key),
fresh as (insert into events_seen (event_key) select event_key from wanted on conflict do nothing returning event_key)
select encode(uuid_send(event_key), 'hex') from wanted where event_key not in (select event_key from fresh)

-- name: release
-- A refused event is not seen: its corrected repetition or its replay must still have its effect.
delete from events_seen where event_key = any($1::text::uuid[])

-- name: forget_before
delete from events_seen where seen_at < $1
