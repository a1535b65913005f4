-- Every mail that Lethe writes to a person: one row each, from the intent to what became of it.

create table mails (
    mail_id bigint generated always as identity primary key,
    issue_id bigint,
    contact_id bigint,
    subject_id bigint not null,
    template text not null,
    language text not null,
    class text not null check (class in ('marketing', 'statutory')),
    purpose text,
    state text not null default 'intent'
        check (state in ('intent', 'claimed', 'unknown', 'sent', 'failed', 'cancelled')),
    dedupe_key uuid unique,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    claimed_by text,
    claimed_until timestamptz,
    smtp_code smallint,
    reason text,
    sealed bytea,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    sent_at timestamptz,
    check (class = 'statutory' or (contact_id is not null and purpose is not null)),
    unique (issue_id, contact_id)
);
comment on table mails is
    'The ledger of mails. intent: to be sent; claimed: a sender has it; unknown: DATA may have been sent and its answer is not known; sent, failed, cancelled: final. A marketing mail in unknown is never sent again, a statutory one is, under the same Message-ID. sealed: recipient and template values under the subject''s key; null where the contact''s row has the address.';
create index mails_due on mails (next_attempt_at, mail_id) where state = 'intent' and issue_id is null;
create index mails_of_issue on mails (issue_id, mail_id) where state = 'intent';
create index mails_open on mails (state, claimed_until) where state in ('claimed', 'unknown');
create index mails_failed on mails (changed_at) where state = 'failed' and sealed is not null;
create index mails_contact_id on mails (contact_id);
create index mails_subject_id on mails (subject_id);
