-- Certificates of erasure, chained by hash; what carriers answered to a withdrawal.

create table certificates (
    sequence bigint primary key check (sequence > 0),
    request_id uuid not null,
    outcome text not null check (outcome in ('completed', 'partly_completed')),
    issued_at timestamptz not null,
    hash bytea not null unique,
    document text not null
);
comment on table certificates is
    'What was erased where, with evidence and without personal data: each document is RFC 8785 JSON, signed, and holds the hash of the one before. Never changed or deleted; the other columns repeat what the document says.';
create index certificates_request_id on certificates (request_id, sequence);
create unique index certificates_completed on certificates (request_id) where outcome = 'completed';

create table certificate_head (
    only_row boolean primary key default true check (only_row),
    sequence bigint not null,
    hash bytea not null
);
comment on table certificate_head is
    'The last certificate. Its row lock, held to the commit of the writer, makes sequence order commit order without gaps.';
insert into certificate_head (sequence, hash) values (0, decode(repeat('00', 32), 'hex'));

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
