-- name: hold
select hold_wrapping_epoch($1)

-- name: current
select max(epoch) from key_epochs

-- name: list
select epoch, current_since, destroyed_at from key_epochs order by epoch

-- name: first
-- A database that was never filled takes over the keyring's epoch.
insert into key_epochs (epoch)
select $1 where not exists (select from keyring_checks) and $1 > (select max(epoch) from key_epochs)

-- name: switch
insert into key_epochs (epoch, current_since) values ($1, $2) on conflict do nothing

-- name: is_released
-- Whether no transaction that may wrap under this epoch is left. Never waits, so nobody queues behind it.
select pg_try_advisory_xact_lock(hashtext('lethe.wrapping'), $1)

-- name: record_destroyed
update key_epochs set destroyed_at = $2 where epoch = any($1::integer[]) and destroyed_at is null

-- name: pages
-- <table> stands for each table that holds wrapped data keys.
select pg_relation_size('<table>') / current_setting('block_size')::bigint

-- name: take
-- A range of pages. What somebody holds is left for a later round: waiting for it while holding others could deadlock.
select ctid, <owner> as owner, wrapped_key, key_epoch from <table>
where ctid >= $1 and ctid < $2 and key_epoch < $3
for no key update skip locked

-- name: rewrap
update <table> as stored set wrapped_key = fresh.wrapped_key, key_epoch = $3
from unnest($1::tid[], $2::bytea[]) as fresh (place, wrapped_key)
where stored.ctid = fresh.place

-- name: is_referred_to
select exists (select from <table> where key_epoch < $1)

-- name: count
select key_epoch, count(*) as rows from <table> where key_epoch is not null group by key_epoch

-- name: survivors
select <owner>, wrapped_key, key_epoch from <table> where key_epoch = $1

-- name: make_survivors
create temp table survivors (owner uuid, wrapped_key bytea, key_epoch integer)

-- name: index_survivors
create index on survivors (owner)

-- name: bring_back
update <table> as stored set wrapped_key = survivors.wrapped_key, key_epoch = survivors.key_epoch
from survivors where survivors.owner = stored.<owner> and stored.key_epoch = any($1::integer[])

-- name: drop_survivors
drop table survivors

-- name: adopt_current
-- After a restore: the newest epoch that the keyring holds wraps, as it did before.
insert into key_epochs (epoch) select epoch from unnest($1::integer[]) as known (epoch) on conflict do nothing
