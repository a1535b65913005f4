-- Who may be written to, for which purpose, and how that came to be.

create table contacts (
    contact_id bigint generated always as identity primary key,
    email_hash uuid not null unique,
    subject_id bigint not null,
    reference_hash uuid,
    sealed bytea not null,
    language text not null,
    soft_bounces integer not null default 0,
    undeliverable_since timestamptz,
    last_own_contact_at timestamptz not null,
    created_at timestamptz not null
);
comment on table contacts is
    'One row per e-mail address: a keyed hash to find it by, the address itself sealed under the subject''s data key. last_own_contact_at: when the person last did something (an opened mail does not count).';
create index contacts_subject_id on contacts (subject_id);
create index contacts_reference_hash on contacts (reference_hash);

create table consents (
    record_id uuid primary key,
    contact_id bigint not null,
    purpose text not null,
    status text not null,
    privacy_notice text not null,
    changed_at timestamptz not null,
    expires_at timestamptz,
    renewal_requested_at timestamptz,
    unique (contact_id, purpose)
);
comment on table consents is
    'The consent record of one address and purpose (ISO/IEC TS 27560): its present status in W3C DPV terms, derived from consent_events. ConsentGiven and RenewedConsentGiven alone permit a mail.';
create index consents_valid on consents (purpose, contact_id)
    where status in ('ConsentGiven', 'RenewedConsentGiven');
create index consents_expires_at on consents (expires_at) where status in ('ConsentGiven', 'RenewedConsentGiven');

create table consent_events (
    consent_event_id bigint generated always as identity primary key,
    record_id uuid not null,
    event_type text not null,
    event_state text not null,
    event_time timestamptz not null,
    recorded_at timestamptz not null,
    entity text not null,
    collection_method text not null,
    privacy_notice text not null,
    language text not null,
    evidence bytea
);
comment on table consent_events is
    'The history of each consent record, only ever added to: what changed, when, who said so and how. evidence (the wording shown, where, source address and the like) is sealed under the subject''s data key.';
create index consent_events_record_id on consent_events (record_id, consent_event_id);

create table suppressions (
    suppression_hash uuid not null,
    purpose text not null,
    reason text not null check (reason in ('withdrawn', 'complaint', 'hard_bounce', 'objection')),
    since timestamptz not null,
    primary key (suppression_hash, purpose)
);
comment on table suppressions is
    'Addresses that must not be written to, as keyed hashes of their own purpose; purpose * stands for all that needs consent. Survives erasure and import.';

create table tokens (
    token_hash uuid primary key,
    kind text not null,
    contact_id bigint not null,
    record_id uuid,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz
);
comment on table tokens is
    'Single-use links in mails (confirm, preferences): a keyed hash of the token, never the token.';
create index tokens_contact_id on tokens (contact_id);
create index tokens_expires_at on tokens (expires_at);

create table floods (
    flood_hash uuid not null,
    kind text not null,
    window_start timestamptz not null,
    count integer not null,
    primary key (flood_hash, kind, window_start)
);
comment on table floods is
    'How often an address or a source asked for something within a window: keyed hashes, forgotten when the window is over.';
create index floods_window_start on floods (window_start);
