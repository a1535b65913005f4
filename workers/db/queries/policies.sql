-- name: load
select version, effective, material, summaries, state from policy_versions where version = any($1::text[])
order by version for update

-- name: record
insert into policy_versions (version, effective, material, summaries, state, published_at, changed_at)
values ($1, $2, $3, $4, $5, $6, $6)

-- name: announcing
select version from policy_versions where state = 'announcing' order by effective, version

-- name: hold
-- None where another announcer is at it.
select version, effective, summaries, reached_contact_id, reached_subject_id
from policy_versions where version = $1 and state = 'announcing'
for update skip locked

-- name: contacts
-- Who agreed to mail, and customers of the shop; not whose mailbox is gone, nor who never confirmed an address.
select contact_id from contacts
where contact_id > $1 and created_at < $3 and undeliverable_since is null and (
    reference_hash is not null
    or exists (
        select from consents
        where consents.contact_id = contacts.contact_id and status in ('ConsentGiven', 'RenewedConsentGiven')
    )
)
order by contact_id limit $2

-- name: customers
-- People with an order whose recipient is still held, the latest one of each.
select distinct on (subject_id) subject_id, shipment_id, recipient
from shipments where subject_id > $1 and changed_at < $3 and recipient is not null
order by subject_id, placed_at desc, shipment_id limit $2

-- name: reach
update policy_versions
set reached_contact_id = greatest(reached_contact_id, $2), reached_subject_id = greatest(reached_subject_id, $3),
    mails = mails + $4, changed_at = $5
where version = $1

-- name: announced
update policy_versions set state = 'announced', changed_at = $2 where version = $1 and state = 'announcing'

-- name: list
select version, effective, material, state, mails from policy_versions order by effective
