-- name: add
-- A task that arrives twice while it waits is one job; once it was answered it is done, and answered, again.
insert into store_jobs (
    task_id, store, action, subject_count, next_attempt_at, respond_by, wrapped_key, key_epoch, sealed, created_at
)
select task_id, store, action, subject_count, $9, respond_by, wrapped_key, $8, sealed, $9
from unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[], $6::bytea[], $7::bytea[])
    as task (task_id, store, action, subject_count, respond_by, wrapped_key, sealed)
on conflict (task_id) do nothing

-- name: claim
-- The store's next task that is due, unless its circuit is open. One whose worker died is due when its lease ends.
update store_jobs set claimed_by = $2, claimed_until = $3::timestamptz + $4::interval, attempts = attempts + 1
where store_job_id = (
    select store_job_id from store_jobs
    where store = $1 and next_attempt_at <= $3 and respond_by > $3 and asked_at is null
        and (claimed_until is null or claimed_until < $3)
        and not exists (select from store_states where store = $1 and open_until > $3)
    order by store_job_id limit 1
    for update skip locked
)
returning store_job_id, task_id, store, action, attempts, respond_by, wrapped_key, key_epoch, sealed

-- name: extend
update store_jobs set claimed_until = $3::timestamptz + $4::interval where store_job_id = $1 and claimed_by = $2
returning store_job_id

-- name: finish
-- Only by the worker that holds it: another may have taken over whoever was silent for too long.
delete from store_jobs where store_job_id = $1 and claimed_by = $2 returning store_job_id

-- name: put_off
update store_jobs set claimed_by = null, claimed_until = null, next_attempt_at = $3, reason = $4
where store_job_id = $1 and claimed_by = $2

-- name: expired
-- Nobody has answered in time: each gets a receipt that says so.
select store_job_id, task_id, store, action, attempts, reason, wrapped_key, key_epoch, sealed from store_jobs
where respond_by <= $1 and (claimed_until is null or claimed_until < $1)
order by store_job_id limit $2 for update skip locked

-- name: drop
delete from store_jobs where store_job_id = any($1::bigint[])

-- name: answered
insert into store_states (store, answered_at) values ($1, $2)
on conflict (store) do update set failures_in_a_row = 0, open_until = null, reason = null, answered_at = $2

-- name: failed
insert into store_states (store, failures_in_a_row, failed_at, reason) values ($1, 1, $2, $3)
on conflict (store) do update set failures_in_a_row = store_states.failures_in_a_row + 1, failed_at = $2, reason = $3
returning failures_in_a_row

-- name: open_circuit
update store_states set open_until = $2 where store = $1

-- name: list
-- One row per store that has work or has answered.
select store, coalesce(waiting, 0) as waiting, oldest, failures_in_a_row, open_until, answered_at,
    coalesce(states.reason, jobs.reason) as reason
from (
    select store, count(*) as waiting, min(created_at) as oldest, max(reason) as reason from store_jobs group by store
) as jobs
full join store_states as states using (store)
order by store

-- name: ask
-- A person was asked: the job waits for the link to be used.
update store_jobs set claimed_by = null, claimed_until = null, asked_at = $3, token_hash = $4, reason = null
where store_job_id = $1 and claimed_by = $2
returning store_job_id

-- name: asked
-- The job that a link belongs to, locked.
select store_job_id, task_id, store, action, attempts, respond_by, wrapped_key, key_epoch, sealed from store_jobs
where token_hash = $1 and respond_by > $2 for update
