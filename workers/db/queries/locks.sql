-- name: try_lock
select pg_try_advisory_lock(hashtextextended($1, 0))

-- name: expire_when_idle
-- A holder that is paused for so long loses its session, and the lock with it; it notices when it comes back.
select set_config('idle_session_timeout', $1, false)

-- name: unlock
select pg_advisory_unlock(hashtextextended($1, 0))

-- name: still_alive
-- The lock lives as long as its session: a lost connection must be noticed before the next publication.
select true

-- name: lock_migrations
select pg_advisory_xact_lock(hashtextextended('lethe.migrations', 0))

-- name: end_hanging
-- Sessions of workers from which the server has waited for more of a statement for so long. Materialized: conditions have
-- no order, and one that ends sessions must come last.
with hanging as materialized (
    select pid, state_change from pg_stat_activity
    where datname = current_database() and usename = current_user and application_name = 'lethe worker'
        and pid <> pg_backend_pid() and state = 'active' and wait_event = 'ClientRead'
        and state_change < clock_timestamp() - $1::interval
)
select state_change from hanging where pg_terminate_backend(pid)
