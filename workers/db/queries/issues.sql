-- name: schedule
insert into issues (name, purpose, state, content, send_at, created_at, changed_at)
values ($1, $2, 'scheduled', $3::text::jsonb, $4, $5, $5)
on conflict (name) do nothing
returning issue_id

-- name: reschedule
-- What has not begun may still change.
update issues set purpose = $2, content = $3::text::jsonb, send_at = $4, changed_at = $5
where name = $1 and state = 'scheduled'
returning issue_id

-- name: start_due
update issues set state = 'sending', changed_at = $1 where state = 'scheduled' and send_at <= $1
returning issue_id

-- name: sending
select issue_id, purpose, prepared from issues where state = 'sending' order by send_at, issue_id

-- name: content
select content::text from issues where issue_id = $1

-- name: lock
select purpose, reached_contact_id from issues where issue_id = $1 and state = 'sending' and not prepared for update

-- name: prepare
-- The next slice of recipients: who may be written to now. Whether they still may is asked again when each is sent.
with slice as (
    select contact_id, subject_id, language, consents.expires_at, undeliverable_since
    from consents join contacts using (contact_id)
    where consents.purpose = $3 and contact_id > $2 and status in ('ConsentGiven', 'RenewedConsentGiven')
    order by contact_id limit $4
),
added as (
    insert into mails (
        issue_id, contact_id, subject_id, template, language, class, purpose, next_attempt_at, created_at, changed_at
    )
    select $1, contact_id, subject_id, 'issue', language, 'marketing', $3, $5, $5, $5 from slice
    where (expires_at is null or expires_at > $5) and undeliverable_since is null
    order by contact_id
    on conflict (issue_id, contact_id) do nothing
)
select max(contact_id) from slice

-- name: prepare_rest
-- Who agreed after the slices had passed their number: one look at everybody (0.6 s for a million).
insert into mails (
    issue_id, contact_id, subject_id, template, language, class, purpose, next_attempt_at, created_at, changed_at
)
select $1, contact_id, subject_id, 'issue', language, 'marketing', $2, $3, $3, $3
from consents join contacts using (contact_id)
where consents.purpose = $2 and status in ('ConsentGiven', 'RenewedConsentGiven')
    and (expires_at is null or expires_at > $3) and undeliverable_since is null
    and not exists (select from mails where mails.issue_id = $1 and mails.contact_id = consents.contact_id)
order by contact_id
on conflict (issue_id, contact_id) do nothing

-- name: reached
update issues set reached_contact_id = coalesce($2, reached_contact_id), prepared = $2 is null, changed_at = $3
where issue_id = $1

-- name: finish_sent
-- Nothing is left to do; what is unknown stays so.
update issues set state = 'sent', changed_at = $1
where state = 'sending' and prepared and not exists (
    select from mails where mails.issue_id = issues.issue_id and mails.state = 'intent'
) and not exists (
    select from mails where mails.issue_id = issues.issue_id
        and (mails.state = 'claimed' or (mails.state = 'unknown' and mails.claimed_until > $1))
        and mails.state in ('claimed', 'unknown')
)
returning issue_id

-- name: drop_cancelled
-- In slices: an issue may have a million of them. What another sender has locked is left to it.
update mails set state = 'cancelled', reason = 'issue_cancelled', changed_at = $1
where mail_id in (
    select mail_id from mails
    where issue_id = any(array(select issue_id from issues where state = 'cancelled')) and state = 'intent'
    order by issue_id, mail_id limit $2 for update skip locked
)

-- name: lock_sending
-- Waits until no sender is about to begin a mail of the issue, and lets none begin until the end of the transaction.
select pg_advisory_xact_lock(hashtextextended('lethe.issue.' || issue_id, 0)) from issues where name = $1

-- name: change_state
-- What goes on before its time was there waits for it.
update issues set state = case when $2 = 'sending' and send_at > $4 then 'scheduled' else $2 end, changed_at = $4
where name = $1 and state = any($3::text[])
returning state

-- name: find
select issue_id, name, purpose, state, send_at, prepared, created_at, changed_at from issues where name = $1

-- name: list
select issue_id, name, purpose, state, send_at, prepared, created_at, changed_at from issues
order by send_at desc, issue_id desc limit $1

-- name: progress
select state, count(*) as mails from mails where issue_id = $1 group by state

-- name: count_by_state
select state, count(*) as issues from issues group by state

-- name: count_waiting
select count(*) from mails
where state = 'intent' and issue_id = any(array(select issue_id from issues where state in ('sending', 'paused')))

-- name: unknown
-- Who may have got it and may not: never sent again, for a person to look at.
select mail_id, contact_id, changed_at from mails where issue_id = $1 and state = 'unknown' order by mail_id limit $2

-- name: count_recipients
-- Who would get an issue of this purpose if it were sent now.
select count(*) from consents join contacts using (contact_id)
where consents.purpose = $1 and status in ('ConsentGiven', 'RenewedConsentGiven')
    and (expires_at is null or expires_at > $2) and undeliverable_since is null
