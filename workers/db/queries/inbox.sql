-- name: store
-- The mail server repeats a delivery whose answer it did not get: that is the same mail.
insert into inbox_mails (fingerprint, size_bytes, wrapped_key, key_epoch, sealed, received_at, changed_at)
values ($1, $2, $3, $4, $5, $6, $6)
on conflict (fingerprint) do nothing

-- name: claim
-- The next one, counted at once: a mail that ends its worker each time is not tried for ever, nor before others.
update inbox_mails set attempts = attempts + 1
where inbox_mail_id = (
    select inbox_mail_id from inbox_mails
    where state = 'received' order by attempts, inbox_mail_id limit 1
    for update skip locked
)
returning inbox_mail_id, attempts, fingerprint, wrapped_key, key_epoch, sealed

-- name: hold
-- Until the transaction ends. None where somebody else is sorting it, or has.
select inbox_mail_id from inbox_mails where inbox_mail_id = $1 and state = 'received' for update skip locked

-- name: finish
update inbox_mails set state = $2, flow = $3, outcome = $4, mail_id = $5, sender_hash = $6, changed_at = $7
where inbox_mail_id = $1

-- name: list
select inbox_mail_id, state, flow, outcome, mail_id, size_bytes, sealed is not null as is_kept, received_at, changed_at
from inbox_mails
where ($1::text is null or state = $1) and ($2::text is null or flow = $2)
order by inbox_mail_id desc limit $3

-- name: find
select inbox_mail_id, state, flow, outcome, mail_id, size_bytes, sealed is not null as is_kept, received_at, changed_at
from inbox_mails where inbox_mail_id = $1

-- name: open
select fingerprint, wrapped_key, key_epoch, sealed from inbox_mails where inbox_mail_id = $1

-- name: done
update inbox_mails set state = 'done', changed_at = $2
where inbox_mail_id = any($1::bigint[]) and state = 'for_person'
returning inbox_mail_id

-- name: sort_again
update inbox_mails set state = 'received', attempts = 0, changed_at = $2
where inbox_mail_id = any($1::bigint[]) and state = 'for_person' and sealed is not null
returning inbox_mail_id

-- name: forget_before
-- What was dealt with. What waits for a person waits as long as it takes.
update inbox_mails set sealed = null, wrapped_key = null, key_epoch = null
where sealed is not null and state in ('sorted', 'done') and changed_at < $1

-- name: count_open
select state, coalesce(flow, 'none') as flow, count(*) as mails from inbox_mails
where state in ('received', 'for_person') group by 1, 2

-- name: mail_named
select mail_id, contact_id, subject_id, template, class, purpose, state from mails where mail_id = $1

-- name: mail_bounced
update mails set state = 'failed', reason = $2, changed_at = $3
where mail_id = $1 and state in ('sent', 'unknown')

-- name: contact_of_subject
select contact_id from contacts where subject_id = $1 and email_hash = $2

-- name: soft_bounces
select soft_bounces, soft_bounced_at from contacts where contact_id = $1 for update

-- name: count_soft_bounce
update contacts set soft_bounces = $2, soft_bounced_at = $3 where contact_id = $1
