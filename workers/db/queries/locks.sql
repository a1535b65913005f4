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
