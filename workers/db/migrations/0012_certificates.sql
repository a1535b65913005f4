-- Certificates of erasure, chained by hash.

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
