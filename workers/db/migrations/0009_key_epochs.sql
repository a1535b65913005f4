-- Which key epoch wraps new data keys, and which were destroyed.

create table key_epochs (
    epoch integer primary key,
    current_since timestamptz not null default now(),
    destroyed_at timestamptz
);
comment on table key_epochs is
    'One row per key epoch; the highest one wraps new data keys. The keys themselves are in the keyring, outside the database. destroyed_at: when nothing referred to it any more and its file was destroyed.';

insert into key_epochs (epoch)
select coalesce(max(key_epoch), 1) from (
    select key_epoch from subjects
    union all select key_epoch from dead_letters
    union all select key_epoch from inbox_mails
) as used;

drop index subjects_key_epoch;  -- a rotation changes every row, page by page: an index would be written anew with it

create function hold_wrapping_epoch(wanted integer) returns boolean language plpgsql as $$
begin
    if wanted is distinct from (select max(epoch) from key_epochs) then
        return false;
    end if;
    perform pg_advisory_xact_lock_shared(hashtext('lethe.wrapping'), wanted);
    return wanted = (select max(epoch) from key_epochs);
end
$$;
comment on function hold_wrapping_epoch is
    'Whether data keys may be wrapped under this epoch until the transaction ends. Where it says true, a rotation waits for the transaction before it looks for what is still wrapped under the epoch. Volatile, at read committed: the second look sees a switch that the first one did not.';

create table restores (
    restore_id bigint generated always as identity primary key,
    began_at timestamptz not null,
    finished_at timestamptz,
    report jsonb
);
comment on table restores is
    'Each time a backup of this database was restored and brought up to date with what lies outside it. While one is not finished no worker runs. report: counts.';
