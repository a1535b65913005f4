-- name: tell
insert into carrier_notices (withdrawal_hash, request_id, carrier, told_at)
select withdrawal_hash, request_id, carrier, $4
from unnest($1::uuid[], $2::uuid[], $3::text[]) as notice (withdrawal_hash, request_id, carrier)
order by withdrawal_hash
on conflict (withdrawal_hash) do nothing

-- name: acknowledge
update carrier_notices as notice set outcome = answer.outcome, acknowledged_at = $3
from unnest($1::uuid[], $2::text[]) as answer (withdrawal_hash, outcome)
where notice.withdrawal_hash = answer.withdrawal_hash and notice.acknowledged_at is null

-- name: acknowledge_disclosures
-- By the shipment's subject, so that the primary key finds the row; an erased person has neither.
update disclosures as told set acknowledged_at = $4
from unnest($1::text[], $2::integer[], $3::text[]) as answer (shipment_id, revision, carrier)
join shipments using (shipment_id)
where told.subject_id = shipments.subject_id and told.shipment_id = answer.shipment_id
    and told.revision = answer.revision and told.recipient = answer.carrier
    and told.action = 'address.withdrawn' and told.acknowledged_at is null

-- name: standing
select request_id, carrier, count(*) as shipments, min(told_at) as told_at, count(acknowledged_at) as acknowledged,
    max(acknowledged_at) as acknowledged_at, count(*) filter (where outcome = 'kept') as kept
from carrier_notices where request_id = any($1::uuid[]) group by request_id, carrier order by request_id, carrier

-- name: forget
delete from carrier_notices where request_id = any($1::uuid[])
