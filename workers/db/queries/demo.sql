-- name: standing
-- How far the newest request is.
select r.request_id, r.state, r.certificate, e.effective_at, e.trimmed_at, e.compacted_at, e.shredded_at, e.key_epoch,
    (select count(*) from request_stores s where s.request_id = r.request_id) as stores,
    (select sum(attempts) from request_stores s where s.request_id = r.request_id) as attempts,
    (select count(*) from request_stores s where s.request_id = r.request_id and s.state in ('absent', 'kept')) as proven
from requests r left join erasure_rounds e using (round_id)
order by r.received_at desc limit 1

-- name: fenced
select count(*) from subjects where fenced_at is not null

-- name: ledger
select (select count(*) from erased_references) as erased, (select count(*) from suppressions) as suppressed

-- name: database_number
-- The folder of a database's files.
select oid::bigint from pg_database where datname = $1

-- name: checkpoint
checkpoint
