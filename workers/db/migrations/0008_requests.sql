-- What people ask about their data, and how far each request is.

create table requests (
    request_id uuid primary key,
    request_type text not null check (request_type in ('erasure')),
    state text not null check (state in (
        'received', 'identity_needed', 'in_progress', 'waiting_for_store', 'on_hold', 'completed', 'partly_completed',
        'refused', 'cancelled'
    )),
    reason text,
    step text not null default 'none' check (step in ('none', 'fenced', 'erased', 'certified', 'told')),
    channel text not null check (channel in ('upstream', 'web', 'mail', 'staff')),
    language text not null,
    key_subject_id bigint,
    sealed bytea,
    subject_ids bigint[] not null default '{}',
    round_id bigint,
    own jsonb,
    joined uuid,
    verified_by text,
    hold_until timestamptz,
    received_at timestamptz not null,
    verified_at timestamptz,
    due_at timestamptz not null,
    closed_at timestamptz,
    changed_at timestamptz not null,
    certificate bigint,
    mail_id bigint
);
comment on table requests is
    'One row per request. key_subject_id: the request''s own data key, under which `sealed` holds what the person is known by; destroyed once the confirmation was sent. step: how far the work is. own: what was deleted in our own tables, counts only. joined: the open request of the same person that answers this one too.';
create index requests_to_begin on requests (received_at) where step = 'none' and state = 'in_progress';
create index requests_at_work on requests (step, received_at) where step in ('fenced', 'erased', 'certified');
create index requests_open on requests (due_at) where closed_at is null;
create index requests_round on requests (round_id) where round_id is not null;
create index requests_joined on requests (joined) where joined is not null;
create index requests_keys on requests (key_subject_id) where key_subject_id is not null;

create table request_identities (
    identity_hash uuid not null,
    request_id uuid not null references requests on delete cascade,
    primary key (identity_hash, request_id)
);
comment on table request_identities is
    'By what an open request knows its person: keyed hashes, so that a second request of the same person joins the first. Deleted with the end of the request.';
create index request_identities_request_id on request_identities (request_id);

create table request_events (
    request_event_id bigint generated always as identity primary key,
    request_id uuid not null references requests on delete cascade,
    move text not null,
    state text not null,
    reason text,
    actor text not null,
    note text,
    happened_at timestamptz not null
);
comment on table request_events is 'What happened to each request, who did it and why. No personal data of the person.';
create index request_events_request_id on request_events (request_id, request_event_id);

create table request_tokens (
    token_hash uuid primary key,
    request_id uuid not null references requests on delete cascade,
    expires_at timestamptz not null,
    used_at timestamptz
);
comment on table request_tokens is 'Links that prove identity: keyed hashes of single-use tokens.';
create index request_tokens_request_id on request_tokens (request_id);

create table request_stores (
    subject_ref uuid primary key,
    request_id uuid not null references requests on delete cascade,
    store text not null,
    state text not null check (state in ('to_erase', 'erasing', 'to_verify', 'verifying', 'absent', 'kept', 'unconfirmed')),
    attempts integer not null default 0,
    task_id uuid,
    due_at timestamptz not null,
    counts jsonb,
    kept jsonb,
    backups_expire_at date,
    reason text,
    erased_at timestamptz,
    verified_at timestamptz,
    unique (request_id, store)
);
comment on table request_stores is
    'What each store downstream has confirmed of each request. subject_ref: the number under which the store knows the person in this request and nowhere else. absent: its own later look found nothing.';
create index request_stores_due on request_stores (store, due_at) where state in ('to_erase', 'erasing', 'to_verify', 'verifying');

create table erasure_rounds (
    round_id bigint generated always as identity primary key,
    state text not null default 'fenced' check (state in ('fenced', 'erased', 'proven')),
    key_epoch integer not null,
    fenced_at timestamptz not null,
    effective_at timestamptz,
    inbound jsonb,
    trimmed_at timestamptz,
    shredded_at timestamptz,
    residence jsonb
);
comment on table erasure_rounds is
    'Requests are worked on together, in rounds. effective_at: from this moment nothing about the persons of the round can leave. inbound: up to which offset the inbound topics held something of theirs. key_epoch: the newest epoch that ever wrapped a key of theirs; shredded_at: when it was destroyed.';

create table erased_references (
    reference_hash uuid primary key,
    erased_at timestamptz not null
);
comment on table erased_references is
    'The erasure ledger: keyed hashes of erased persons. What is older than the erasure is refused and does not bring them back; a person who orders again afterwards is a new subject.';

alter table subjects add column not_before timestamptz;
comment on column subjects.not_before is 'Set where a person of this reference was erased before: older events are refused.';

alter table shipments add column email_hash uuid;
comment on column shipments.email_hash is 'A keyed hash of the recipient''s address, so that a request by mail finds the order.';
create index shipments_email_hash on shipments (email_hash) where email_hash is not null;
