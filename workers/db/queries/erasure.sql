-- name: subjects_of
-- Who is meant by customer references ($1) and by addresses ($2), one step far: two people who share an address are
-- told apart when a reference is given.
select identity_hash, subject_id
from unnest($1::uuid[]) as by_reference (identity_hash) join subjects on reference_hash = identity_hash
union
select identity_hash, subject_id
from unnest($1::uuid[]) as by_reference (identity_hash) join contacts on contacts.reference_hash = identity_hash
union
select identity_hash, subject_id
from unnest($2::uuid[]) as by_address (identity_hash) join contacts on contacts.email_hash = identity_hash
union
select identity_hash, subject_id
from unnest($2::uuid[]) as by_address (identity_hash) join shipments on shipments.email_hash = identity_hash

-- name: to_begin
select request_id, state, language, key_subject_id, sealed, received_at, due_at, hold_until
from requests
where state = 'in_progress' and step = 'none' and joined is null
order by received_at limit $1
for update

-- name: held_for_orders
select request_id, subject_ids, hold_until from requests
where state = 'on_hold' and step = 'none' and reason = 'order_in_flight' and joined is null
order by request_id limit $1
for update

-- name: in_flight
select distinct subject_id from shipments
where subject_id = any($1::bigint[]) and state in ('waiting', 'assigned')

-- name: remember_subjects
update requests as stored set subject_ids = known.subject_ids::bigint[]
from unnest($1::uuid[], $2::text[]) as known (request_id, subject_ids)
where stored.request_id = known.request_id

-- name: shipments_of
select shipment_id, subject_id, carrier, state, revision, recipient
from shipments where subject_id = any($1::bigint[]) order by shipment_id

-- name: disclosed_to_carriers
select distinct recipient, shipment_id from disclosures
where subject_id = any($1::bigint[]) and recipient_kind = 'carrier' order by recipient, shipment_id

-- name: open_round
insert into erasure_rounds (key_epoch, fenced_at) values ($1, $2) returning round_id

-- name: lock_subjects
-- Before anything else of theirs is locked: whoever holds one of them is let finish.
select subject_id from subjects where subject_id = any($1::bigint[]) order by subject_id for update

-- name: fence
-- Waits for whoever applies, publishes or sends something about them this moment.
update subjects set fenced_at = $2 where subject_id = any($1::bigint[]) and fenced_at is null
returning subject_id, reference_hash

-- name: record_erased
insert into erased_references (reference_hash, erased_at) select reference_hash, $2 from unnest($1::uuid[]) as fenced (reference_hash)
on conflict (reference_hash) do update set erased_at = excluded.erased_at

-- name: enter_round
update requests as stored
set step = 'fenced', round_id = $4, subject_ids = entered.subject_ids::bigint[], sealed = entered.sealed, changed_at = $5
from unnest($1::uuid[], $2::text[], $3::bytea[]) as entered (request_id, subject_ids, sealed)
where stored.request_id = entered.request_id

-- name: rounds
select round_id, state, key_epoch, fenced_at, effective_at, inbound, withdrawn, trimmed_at, compacted_at, shredded_at
from erasure_rounds where state = $1 order by round_id

-- name: round_requests
select request_id, language, key_subject_id, sealed, subject_ids, received_at, due_at
from requests where round_id = $1 and step = $2 order by request_id
for update

-- name: lanes
-- What was applied and not published yet. Once these rows are gone, nothing that was applied before can come out.
select lane, max(position) as position from outbox group by lane

-- name: lanes_left
select count(*) from outbox join unnest($1::text[], $2::bigint[]) as before (lane, last_position) using (lane)
where position <= last_position

-- name: erase_shipments
delete from shipments where subject_id = any($1::bigint[]) returning subject_id

-- name: erase_disclosures
delete from disclosures where subject_id = any($1::bigint[]) returning subject_id

-- name: erase_mails
delete from mails where subject_id = any($1::bigint[]) returning subject_id

-- name: erase_dead_letters
-- What was refused because it came after the fence is not the erased person's: it waits to be applied.
delete from dead_letters
where reference_hash = any($1::uuid[]) and not (code = 'subject_fenced' and sealed is not null)
returning reference_hash

-- name: replay_after_fence
update dead_letters set state = 'replaying', changed_at = $2
where reference_hash = any($1::uuid[]) and code = 'subject_fenced' and state = 'parked' and sealed is not null

-- name: erase_staff_disclosures
delete from staff_disclosures where reference_hash = any($1::uuid[]) returning reference_hash

-- name: erase_inbox
delete from inbox_mails where sender_hash = any($1::uuid[]) returning sender_hash

-- name: erase_subjects
-- The data keys: what was sealed under them is unreadable from the commit on, but for copies of this row.
delete from subjects where subject_id = any($1::bigint[]) and fenced_at is not null returning subject_id

-- name: references_of
select subject_id, reference_hash from subjects where subject_id = any($1::bigint[])

-- name: erased
update requests as stored set step = 'erased', own = counted.own::jsonb, changed_at = $3
from unnest($1::uuid[], $2::text[]) as counted (request_id, own)
where stored.request_id = counted.request_id

-- name: round_erased
update erasure_rounds set state = 'erased', effective_at = $2, inbound = $3, key_epoch = $4, withdrawn = $5
where round_id = $1

-- name: ask_stores
insert into request_stores (subject_ref, request_id, store, state, reason, due_at)
select subject_ref, request_id, store, state, reason, $6
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
    as asked (subject_ref, request_id, store, state, reason)
on conflict (request_id, store) do nothing

-- name: shredded
update erasure_rounds set shredded_at = $2 where round_id = any($1::bigint[]) and shredded_at is null

-- name: prove
update erasure_rounds
set trimmed_at = coalesce(trimmed_at, $2), residence = $3
where round_id = $1

-- name: compacted
update erasure_rounds set compacted_at = $2, withdrawn = null where round_id = any($1::bigint[])

-- name: proven
update erasure_rounds set state = 'proven'
where state = 'erased' and trimmed_at is not null and compacted_at is not null and shredded_at is not null
returning round_id

-- name: due_stores
-- What is to be asked now, and what a store was asked and did not answer in time.
select s.subject_ref, s.request_id, s.store, s.state, s.attempts, r.key_subject_id, r.sealed
from request_stores s join requests r using (request_id)
where s.store = $1 and s.state in ('to_erase', 'erasing', 'to_verify', 'verifying') and s.due_at <= $2
order by s.due_at limit $3
for update of s

-- name: asked
update request_stores set state = case state when 'to_erase' then 'erasing' when 'to_verify' then 'verifying' else state end,
    attempts = attempts + 1, due_at = $2, task_id = $3
where subject_ref = any($1::uuid[])

-- name: cannot_be_asked
-- Staff had it asked again, and there is still nothing to ask by.
update request_stores set state = 'unconfirmed', reason = $2 where subject_ref = any($1::uuid[])

-- name: give_up_stores
update request_stores set state = 'unconfirmed', reason = $2
where request_id = any($1::uuid[]) and state in ('to_erase', 'erasing', 'to_verify', 'verifying')
returning request_id, store

-- name: give_up_store
-- No longer configured, or disabled for good: said so, instead of waiting for ever.
update request_stores set state = 'unconfirmed', reason = $2
where store = $1 and state in ('to_erase', 'erasing', 'to_verify', 'verifying')

-- name: lock_stores
select subject_ref, request_id, store, state, attempts, task_id from request_stores
where subject_ref = any($1::uuid[])
order by subject_ref
for update

-- name: store_progress
update request_stores as stored
set state = answered.state, due_at = answered.due_at, reason = answered.reason,
    counts = coalesce(answered.counts::jsonb, stored.counts), kept = case when answered.state in ('absent', 'kept') then answered.kept::jsonb
        else coalesce(answered.kept::jsonb, stored.kept) end,
    backups_expire_at = coalesce(answered.backups_expire_at, stored.backups_expire_at),
    attempts = answered.attempts,
    erased_at = case when answered.state = 'to_verify' then $9::timestamptz else stored.erased_at end,
    verified_at = case when answered.state in ('absent', 'kept') then $9::timestamptz else stored.verified_at end
from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::date[], $8::integer[])
    as answered (subject_ref, state, due_at, reason, counts, kept, backups_expire_at, attempts)
where stored.subject_ref = answered.subject_ref

-- name: ask_again
update request_stores set state = 'to_erase', due_at = $2, reason = null where request_id = $1 and state = 'unconfirmed'
returning store

-- name: to_certify
-- All of our own work is proven; the stores have answered, or the time is up.
select r.request_id, r.state, r.language, r.key_subject_id, r.sealed, r.received_at, r.verified_at, r.due_at, r.own,
    r.round_id, bool_and(coalesce(s.state in ('absent', 'kept', 'unconfirmed'), true)) as stores_final,
    bool_or(coalesce(s.state = 'unconfirmed', false)) as any_unconfirmed
from requests r join erasure_rounds e using (round_id) left join request_stores s using (request_id)
where e.state = 'proven' and (r.step = 'erased' or (r.step = 'certified' and r.state = 'partly_completed'))
group by r.request_id
order by r.received_at

-- name: store_rows
select request_id, store, state, counts, kept, backups_expire_at, reason, erased_at, verified_at, attempts
from request_stores where request_id = any($1::uuid[]) order by request_id, store

-- name: round
select * from erasure_rounds where round_id = any($1::bigint[])

-- name: certified
update requests as stored set step = 'certified', certificate = done.certificate, mail_id = done.mail_id
from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as done (request_id, certificate, mail_id)
where stored.request_id = done.request_id

-- name: to_forget
-- Nothing more will be said to the person: the confirmation went out or cannot, or the request ended otherwise.
select r.request_id, r.key_subject_id from requests r
where r.key_subject_id is not null and r.closed_at is not null
    and (
        select count(*) from mails m where m.subject_id = r.key_subject_id and m.state in ('intent', 'claimed', 'unknown')
    ) = 0  -- looked up one by one: as an anti-join it was planned over all mails for each request after a burst
    and r.step in ('none', 'certified') and r.state <> 'partly_completed'
limit $1
for update of r

-- name: forget_mails
delete from mails where subject_id = any($1::bigint[])

-- name: forget_keys
delete from subjects where subject_id = any($1::bigint[])

-- name: forgotten
update requests set key_subject_id = null, sealed = null, subject_ids = '{}', mail_id = null,
    step = case when step = 'certified' then 'told' else step end
where request_id = any($1::uuid[])

-- name: stores_waiting
select distinct store from request_stores where state in ('to_erase', 'erasing', 'to_verify', 'verifying')
