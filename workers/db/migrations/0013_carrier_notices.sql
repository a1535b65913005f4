-- What carriers answered to a withdrawal (GDPR 19).

create table carrier_notices (
    withdrawal_hash uuid primary key,
    request_id uuid not null,
    carrier text not null,
    told_at timestamptz not null,
    outcome text check (outcome in ('erased', 'kept')),
    acknowledged_at timestamptz,
    check ((outcome is null) = (acknowledged_at is null))
);
comment on table carrier_notices is
    'The ledger of Article 19 while an erasure lasts: a keyed hash of each withdrawal that a carrier was told, and its answer. Counts go into the certificate, rows are deleted with the end of the request.';
create index carrier_notices_request_id on carrier_notices (request_id);

alter table disclosures add column acknowledged_at timestamptz;
comment on column disclosures.acknowledged_at is 'When the carrier answered that it has forgotten (or keeps, on a ground of its own) what was withdrawn.';
