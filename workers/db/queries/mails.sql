-- name: next_id
-- The number is part of what the letter is sealed for.
select nextval(pg_get_serial_sequence('mails', 'mail_id'))

-- name: post
insert into mails (
    mail_id, contact_id, subject_id, template, language, class, purpose, dedupe_key, sealed, next_attempt_at,
    created_at, changed_at
) overriding system value
values ($1, $2, $3, $4, $5, $6, $7, encode($8::bytea, 'hex')::uuid, $9, $10, $10, $10)
on conflict (dedupe_key) do nothing
returning mail_id

-- name: claim
-- Mails of their own, the longest due first. Another sender skips what this one has locked.
update mails set state = 'claimed', claimed_by = $1, claimed_until = $3::timestamptz + $4::interval,
    attempts = attempts + 1, changed_at = $3
where mail_id in (
    select mail_id from mails
    where state = 'intent' and issue_id is null and next_attempt_at <= $3
    order by next_attempt_at, mail_id limit $2 for update skip locked
)
returning mail_id, issue_id, contact_id, subject_id, template, language, class, purpose, sealed, attempts

-- name: claim_of_issue
-- The mails of one issue that is being sent, from a number on.
update mails set state = 'claimed', claimed_by = $1, claimed_until = $3::timestamptz + $4::interval,
    attempts = attempts + 1, changed_at = $3
where mail_id in (
    select mail_id from mails
    where issue_id = $5 and mail_id > $6 and state = 'intent' and next_attempt_at <= $3
    order by mail_id limit $2 for update skip locked
)
returning mail_id, issue_id, contact_id, subject_id, template, language, class, purpose, sealed, attempts

-- name: addresses
-- The sealed address of a mail that has no letter of its own.
select mail_id, email_hash, contacts.sealed as address
from mails join contacts using (contact_id)
where mail_id = any($1::bigint[])

-- name: lock_consents
-- Until the end of the transaction: who ends a consent (an update of its row) waits so long.
select from consents
join mails on mails.contact_id = consents.contact_id and mails.purpose = consents.purpose
where mails.mail_id = any($1::bigint[]) and mails.class = 'marketing'
order by consents.record_id
for share of consents

-- name: sendable
-- Which of these may be written now; asked once the locks are held. Subjects that are being erased are not among $2.
select mail_id
from mails
left join contacts using (contact_id)
left join consents on consents.contact_id = mails.contact_id and consents.purpose = mails.purpose
where mail_id = any($1::bigint[]) and mails.subject_id = any($2::bigint[]) and (
    class = 'statutory' or (
        consents.status in ('ConsentGiven', 'RenewedConsentGiven')
        and (consents.expires_at is null or consents.expires_at > $3)
        and contacts.undeliverable_since is null
    )
)

-- name: mark_unknown
-- Committed before DATA: from then on nobody can know that it was not sent.
update mails set state = 'unknown', changed_at = $3
where mail_id = any($1::bigint[]) and state = 'claimed' and claimed_by = $2
returning mail_id

-- name: finish
update mails as stored
set state = result.state, smtp_code = result.smtp_code, reason = result.reason, changed_at = $7::timestamptz,
    next_attempt_at = coalesce(result.next_attempt_at, stored.next_attempt_at),
    sent_at = case when result.state = 'sent' then $7::timestamptz end,
    claimed_by = null, claimed_until = null,
    sealed = case when result.state = 'intent' then stored.sealed end
from unnest($2::bigint[], $3::text[], $4::smallint[], $5::text[], $6::timestamptz[])
    as result (mail_id, state, smtp_code, reason, next_attempt_at)
where stored.mail_id = result.mail_id and stored.claimed_by = $1

-- name: recover
-- What a dead sender had in hand. Claimed: DATA was never begun. Unknown: it may have been; what must be said is said
-- again under the same Message-ID, marketing stays unknown for good.
update mails set state = 'intent', claimed_by = null, claimed_until = null, changed_at = $1
where claimed_until < $1 and (state = 'claimed' or (state = 'unknown' and class = 'statutory'))
returning mail_id

-- name: list
select mail_id, issue_id, contact_id, template, language, class, purpose, state, attempts, smtp_code, reason,
    created_at, changed_at, sent_at
from mails
where ($1::text is null or state = $1) and ($2::text is null or template = $2)
order by mail_id desc limit $3

-- name: count_by_state
select template, class, state, count(*) as mails from mails group by template, class, state
order by template, class, state

-- name: retry
update mails set state = 'intent', next_attempt_at = $2, changed_at = $2
where mail_id = $1 and state = 'failed' and sealed is not null
returning mail_id
