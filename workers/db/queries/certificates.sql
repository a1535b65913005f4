-- name: lock_head
-- Held to the commit: whoever issues next waits, and continues from what was committed.
select sequence, hash from certificate_head for update

-- name: latest
select distinct on (request_id) request_id, document
from certificates where request_id = any($1::uuid[]) order by request_id, sequence desc

-- name: store
with stored as (
    insert into certificates (sequence, request_id, outcome, issued_at, hash, document)
    select * from unnest($1::bigint[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bytea[], $6::text[])
)
update certificate_head set sequence = $7, hash = $8

-- name: find
-- By number or by request; the latest one of a request.
select sequence, document from certificates
where sequence = $1::bigint or ($1::bigint is null and starts_with(request_id::text, $2)) order by sequence desc limit 1

-- name: head
select sequence, hash from certificate_head

-- name: all
select sequence, request_id, outcome, issued_at, hash, document from certificates order by sequence
