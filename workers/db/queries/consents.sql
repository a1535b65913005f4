-- name: lock
-- For update: an ending waits for the sender, which shares these rows while it sends; after the commit none is sent.
select record_id, contact_id, purpose, status, privacy_notice, changed_at, expires_at, renewal_requested_at
from consents where contact_id = any($1::text::bigint[])
order by contact_id, purpose
for update

-- name: of_contact
select record_id, contact_id, purpose, status, privacy_notice, changed_at, expires_at, renewal_requested_at
from consents where contact_id = $1 order by purpose

-- name: store
insert into consents (
    record_id, contact_id, purpose, status, privacy_notice, changed_at, expires_at, renewal_requested_at
)
select * from unnest(
    $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
    $8::timestamptz[]
)
on conflict (contact_id, purpose) do update set
    status = excluded.status, privacy_notice = excluded.privacy_notice, changed_at = excluded.changed_at,
    expires_at = excluded.expires_at, renewal_requested_at = excluded.renewal_requested_at

-- name: touch
update consents set expires_at = greatest(expires_at, $2), renewal_requested_at = null
where contact_id = $1 and status in ('ConsentGiven', 'RenewedConsentGiven')

-- name: history
select r.purpose, e.event_type, e.event_state, e.event_time, e.recorded_at, e.entity, e.collection_method,
    e.privacy_notice, e.language, e.evidence, e.record_id
from consent_events e join consents r using (record_id)
where r.contact_id = $1 order by e.consent_event_id

-- name: expired
-- Skips what is locked: another worker has it in hand, or it changes at this moment.
select contact_id, purpose from consents
where status in ('ConsentGiven', 'RenewedConsentGiven') and expires_at <= $1
order by expires_at limit $2
for update skip locked

-- name: to_renew
select contact_id, purpose from consents
where status in ('ConsentGiven', 'RenewedConsentGiven') and expires_at <= $1 and renewal_requested_at is null
order by expires_at limit $2
for update skip locked

-- name: unanswered
-- Asked for and never confirmed: nobody can say that the address is the person's own.
select record_id, contact_id from consents
where status = 'ConsentRequested' and changed_at < $1
order by changed_at limit $2
for update skip locked

-- name: erase_records
delete from consents where record_id = any($1::uuid[])

-- name: erase_events
delete from consent_events where record_id = any($1::uuid[])

-- name: count_by_status
select purpose, status, count(*) as consents from consents group by purpose, status order by purpose, status
