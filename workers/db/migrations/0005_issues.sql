-- Issues: what goes to everybody who agreed to a purpose. The mails themselves are rows of the ledger.

create table issues (
    issue_id bigint generated always as identity primary key,
    name text not null unique,
    purpose text not null,
    state text not null check (state in ('scheduled', 'sending', 'paused', 'cancelled', 'sent')),
    content jsonb not null,
    send_at timestamptz not null,
    reached_contact_id bigint not null default 0,
    prepared boolean not null default false,
    created_at timestamptz not null,
    changed_at timestamptz not null
);
comment on table issues is
    'One row per issue. content: subject, text and HTML by language, as they were when it was scheduled. reached_contact_id: up to which contact its mails are in the ledger.';

alter table mails add foreign key (issue_id) references issues;
