-- name: load
-- Locked until the commit: a replay and the stream may touch the same order.
select shipment_id, subject_id, carrier, state, revision, contact_consent, recipient, placed_at
from shipments where shipment_id = any($1::text::text[])
for update

-- name: change
update shipments as stored
set carrier = changed.carrier, state = changed.state, revision = changed.revision,
    contact_consent = changed.contact_consent, recipient = changed.recipient, changed_at = $7,
    email_hash = changed.email_hash
from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::boolean[], $6::bytea[], $8::uuid[])
    as changed (shipment_id, carrier, state, revision, contact_consent, recipient, email_hash)
where stored.shipment_id = changed.shipment_id
