-- name: create
create table events_seen (event_name bytea primary key);
create table shipments (
    shipment_id text primary key, customer_ref text not null, carrier text not null, recipient jsonb not null
);

-- name: claim
insert into events_seen (event_name) select unnest($1::bytea[]) on conflict do nothing returning event_name

-- name: claim_one
insert into events_seen (event_name) values ($1) on conflict do nothing returning true

-- name: add_shipment
insert into shipments (shipment_id, customer_ref, carrier, recipient) values ($1, $2, $3, $4)
