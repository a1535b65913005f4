-- What people and machines write to the shop by mail.

create table inbox_mails (
    inbox_mail_id bigint generated always as identity primary key,
    fingerprint uuid not null unique,
    state text not null default 'received' check (state in ('received', 'sorted', 'for_person', 'done')),
    flow text,
    outcome text,
    attempts integer not null default 0,
    mail_id bigint,
    sender_hash uuid,
    size_bytes integer not null,
    wrapped_key bytea,
    key_epoch integer,
    sealed bytea,
    received_at timestamptz not null,
    changed_at timestamptz not null
);
comment on table inbox_mails is
    'One row per mail and recipient, stored before the mail server is told that it was taken; the fingerprint makes a delivery that is repeated no second row. sealed: envelope and mail under a key of their own, deleted some time after it was dealt with. for_person waits for a person and is never deleted before. mail_id: the mail of ours that it is about. sender_hash finds what a person wrote.';
alter table inbox_mails alter column sealed set storage external;
create index inbox_mails_open on inbox_mails (state, attempts, inbox_mail_id) where state in ('received', 'for_person');
create index inbox_mails_kept on inbox_mails (changed_at) where sealed is not null;
create index inbox_mails_sender_hash on inbox_mails (sender_hash);

alter table contacts add column soft_bounced_at timestamptz;
comment on column contacts.soft_bounced_at is 'When soft_bounces was last counted up: once a day at most.';
