-- name: create
create table bare_mails (
    mail_id bigint generated always as identity primary key,
    contact_id bigint not null,
    email text not null,
    state text not null default 'intent'
);
create index on bare_mails (mail_id) where state = 'intent';
create table bare_consents (contact_id bigint primary key, consented boolean not null);

-- name: claim
update bare_mails set state = 'claimed' where mail_id in (
    select mail_id from bare_mails where state = 'intent' and mail_id > $1 order by mail_id limit $2
    for update skip locked
)
returning mail_id, contact_id, email

-- name: consented
select contact_id from bare_consents where contact_id = any($1::bigint[]) and consented

-- name: mark
update bare_mails set state = $2 where mail_id = any($1::bigint[])
