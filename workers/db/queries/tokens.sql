-- name: issue
insert into tokens (token_hash, kind, contact_id, record_id, created_at, expires_at)
select $1, $2, $3, record_id, $5, $6 from unnest($4::uuid[]) as fresh (record_id)

-- name: look_at
select t.kind, t.contact_id, r.purpose, t.created_at, t.expires_at, t.used_at
from tokens t left join consents r using (record_id)
where t.token_hash = $1 and t.kind = $2
order by r.purpose

-- name: use
-- Single use: of two at once, the second waits and finds it used.
with used as (
    update tokens set used_at = $3
    where token_hash = $1 and kind = $2 and used_at is null and expires_at > $3
    returning kind, contact_id, record_id, created_at, expires_at, used_at
)
select used.kind, used.contact_id, r.purpose, used.created_at, used.expires_at, used.used_at
from used left join consents r using (record_id)
order by r.purpose

-- name: close
-- A no ends what was still open: an old link must not turn it into a yes.
update tokens set used_at = $2 where record_id = any($1::uuid[]) and used_at is null

-- name: erase
delete from tokens where record_id = any($1::uuid[])

-- name: erase_of_contacts
delete from tokens where contact_id = any($1::text::bigint[])

-- name: forget_before
delete from tokens where expires_at < $1
