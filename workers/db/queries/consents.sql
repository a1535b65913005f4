-- name: lock
-- For update: an ending waits for the sender, which shares these rows while it sends; after the commit none is sent.
-- In the sender's order, so that the two never wait in a circle.
select record_id, contact_id, purpose, status, privacy_notice, changed_at, expires_at, renewal_requested_at
from consents where contact_id = any($1::text::bigint[])
order by record_id
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
-- In slices of contacts; what is due is decided again under the lock.
select contact_id, purpose from consents
where status in ('ConsentGiven', 'RenewedConsentGiven') and expires_at <= $1 and contact_id > $2
order by contact_id limit $3

-- name: to_renew
select contact_id, purpose from consents
where status in ('ConsentGiven', 'RenewedConsentGiven') and expires_at <= $1 and renewal_requested_at is null
    and contact_id > $2
order by contact_id limit $3

-- name: unanswered
-- Asked for and never confirmed: nobody can say that the address is the person's own. Where there was a consent
-- before, its history is kept as the proof that it is.
select distinct r.contact_id from consents r
where r.status = 'ConsentRequested' and r.changed_at < $1 and r.contact_id > $2
    and not exists (
        select from consent_events e where e.record_id = r.record_id and e.event_state <> 'ConsentRequested'
    )
order by r.contact_id limit $3

-- name: unanswered_records
select r.record_id from consents r
where r.status = 'ConsentRequested' and r.changed_at < $1 and r.contact_id = any($2::text::bigint[])
    and not exists (
        select from consent_events e where e.record_id = r.record_id and e.event_state <> 'ConsentRequested'
    )

-- name: page
select contact_id, purpose, status, privacy_notice, changed_at, expires_at from consents
where (contact_id, purpose) > ($1, $2)
    and ($3::text is null or purpose = $3) and ($4::text is null or status = $4)
order by contact_id, purpose
limit $5

-- name: records_of
select record_id from consents where contact_id = any($1::text::bigint[])

-- name: erase_records
delete from consents where record_id = any($1::uuid[])

-- name: erase_events
delete from consent_events where record_id = any($1::uuid[])

-- name: count_by_status
select purpose, status, count(*) as consents from consents group by purpose, status order by purpose, status
