-- name: load
select suppression_hash, purpose, reason, since from suppressions
where suppression_hash = any($1::text::uuid[])

-- name: store
insert into suppressions (suppression_hash, purpose, reason, since)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])
on conflict (suppression_hash, purpose) do update set
    reason = excluded.reason, since = greatest(suppressions.since, excluded.since)

-- name: remove
delete from suppressions as stored
using unnest($1::uuid[], $2::text[]) as removed (suppression_hash, purpose)
where stored.suppression_hash = removed.suppression_hash and stored.purpose = removed.purpose

-- name: count_by_reason
select purpose, reason, count(*) as addresses from suppressions group by purpose, reason order by purpose, reason
