-- name: lock
-- By address or by number, in the order of numbers, so that two transactions never wait in a circle.
select contact_id, email_hash, subject_id, sealed, language, undeliverable_since, last_own_contact_at
from contacts
where email_hash = any($1::text::uuid[]) or contact_id = any($2::text::bigint[])
order by contact_id
for update

-- name: find
select contact_id, email_hash, subject_id, sealed, language, undeliverable_since, last_own_contact_at
from contacts where email_hash = any($1::text::uuid[]) or contact_id = any($2::text::bigint[])

-- name: create
-- In the order of hashes, for the same reason. Those that another transaction creates at the same moment are left out.
insert into contacts (
    email_hash, subject_id, reference_hash, sealed, language, last_own_contact_at, created_at
)
select email_hash, subject_id, reference_hash, sealed, language, $6, $6
from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[], $5::text[])
    as fresh (email_hash, subject_id, reference_hash, sealed, language)
order by email_hash
on conflict (email_hash) do nothing
returning contact_id, email_hash

-- name: delete_unused
-- Contacts of which no record is left, or of which none came.
delete from contacts
where contact_id = any($1::text::bigint[])
    and not exists (select from consents where consents.contact_id = contacts.contact_id)

-- name: change
update contacts as stored
set language = changed.language, undeliverable_since = changed.undeliverable_since,
    soft_bounces = case when changed.undeliverable_since is null and stored.undeliverable_since is not null
        then 0 else stored.soft_bounces end,
    last_own_contact_at = greatest(stored.last_own_contact_at, changed.last_own_contact_at),
    reference_hash = coalesce(stored.reference_hash, changed.reference_hash)
from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::uuid[])
    as changed (contact_id, language, undeliverable_since, last_own_contact_at, reference_hash)
where stored.contact_id = changed.contact_id

-- name: touch
-- The person was in contact of their own accord: all their consents last from now on.
update contacts set last_own_contact_at = greatest(last_own_contact_at, $2) where contact_id = $1

-- name: of_subjects
select contact_id, subject_id from contacts where subject_id = any($1::text::bigint[]) order by contact_id for update

-- name: erase
delete from contacts where contact_id = any($1::text::bigint[])
