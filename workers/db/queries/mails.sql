-- name: next_ids
-- The number is part of what the letter is sealed for.
select nextval(pg_get_serial_sequence('mails', 'mail_id')) as mail_id from generate_series(1, $1::integer)

-- name: post
insert into mails (
    mail_id, contact_id, subject_id, template, language, class, purpose, dedupe_key, sealed, next_attempt_at,
    created_at, changed_at
) overriding system value
select mail_id, contact_id, subject_id, $7, language, $8, $9, dedupe_key::uuid, sealed, $10, $10, $10
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bytea[])
    as posted (mail_id, contact_id, subject_id, language, dedupe_key, sealed)
order by mail_id
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
returning mail_id, issue_id, contact_id, subject_id, template, language, class, purpose, sealed, attempts, claimed_by

-- name: claim_of_issue
-- The mails of one issue that is being sent, from a number on.
update mails set state = 'claimed', claimed_by = $1, claimed_until = $3::timestamptz + $4::interval,
    attempts = attempts + 1, changed_at = $3
where mail_id in (
    select mail_id from mails
    where issue_id = $5 and mail_id > $6 and state = 'intent' and next_attempt_at <= $3
    order by mail_id limit $2 for update skip locked
)
returning mail_id, issue_id, contact_id, subject_id, template, language, class, purpose, sealed, attempts, claimed_by

-- name: addresses
-- The sealed address of a mail that has no letter of its own.
select mail_id, email_hash, contacts.sealed as address
from mails join contacts using (contact_id)
where mail_id = any($1::bigint[])

-- name: bound_holding
-- Until the end of the transaction: how long it may wait for a lock of others, and how long it may last. A session that
-- hangs between preparing a statement and running it is not idle for PostgreSQL, so its time-out for those that idle
-- does not end it; the one for transactions (PostgreSQL 17) does.
select set_config('lock_timeout', $1, true),
    case when current_setting('server_version_num')::integer >= 170000
        then set_config('transaction_timeout', $2, true) end

-- name: hold_issues
-- Until the end of the transaction: who pauses or cancels one of these mails' issues waits so long. Not a lock on the
-- issue's row: waiters for one are not queued, and senders that follow each other would hold it for ever.
select pg_advisory_xact_lock_shared(hashtextextended('lethe.issue.' || issue_id, 0))
from (select distinct issue_id from mails where mail_id = any($1::bigint[]) and issue_id is not null) as theirs

-- name: lock_consents
-- Until the end of the transaction: who ends a consent (an update of its row) waits so long. A row that somebody is
-- changing this very moment is left out instead of waited for, so that one slow withdrawal holds up nobody else's.
select mails.mail_id from consents
join mails on mails.contact_id = consents.contact_id and mails.purpose = consents.purpose
where mails.mail_id = any($1::bigint[]) and mails.class = 'marketing'
order by consents.record_id
for share of consents skip locked

-- name: judge
-- What each of these may do; asked once the locks are held. Subjects that are being erased are not among $2, consents
-- that are locked are among $4.
select mail_id,
    mails.subject_id = any($2::bigint[]) as subject_lives,
    class = 'statutory' or coalesce(
        consents.status in ('ConsentGiven', 'RenewedConsentGiven')
        and (consents.expires_at is null or consents.expires_at > $3)
        and contacts.undeliverable_since is null,
        false
    ) as permitted,
    class = 'statutory' or mail_id = any($4::bigint[]) as held,
    issues.state as issue_state
from mails
left join issues using (issue_id)
left join contacts using (contact_id)
left join consents on consents.contact_id = mails.contact_id and consents.purpose = mails.purpose
where mail_id = any($1::bigint[])

-- name: mark_unknown
-- Committed before DATA: from then on nobody can know that it was not sent.
update mails set state = 'unknown', changed_at = $3
where mail_id = any($1::bigint[]) and state = 'claimed' and claimed_by = $2
returning mail_id

-- name: finish
-- An attempt that met no mail server is not counted. Only what is still in the same hand is changed.
update mails as stored
set state = result.state, smtp_code = result.smtp_code, reason = result.reason, changed_at = $8::timestamptz,
    attempts = stored.attempts - (not result.tried)::integer,
    next_attempt_at = coalesce(result.next_attempt_at, stored.next_attempt_at),
    sent_at = case when result.state = 'sent' then $8::timestamptz end,
    claimed_by = null, claimed_until = null,
    sealed = case when result.state in ('intent', 'failed') then stored.sealed end
from unnest($2::bigint[], $3::text[], $4::smallint[], $5::text[], $6::timestamptz[], $7::boolean[])
    as result (mail_id, state, smtp_code, reason, next_attempt_at, tried)
where stored.mail_id = result.mail_id and stored.claimed_by = $1 and stored.state in ('claimed', 'unknown')

-- name: recover
-- What a dead sender had in hand. Claimed: DATA was never begun. Unknown: it may have been; what must be said is said
-- again under the same Message-ID, marketing stays unknown for good.
update mails set state = 'intent', claimed_by = null, claimed_until = null, changed_at = $1
where claimed_until < $1 and (state = 'claimed' or (state = 'unknown' and class = 'statutory'))
returning mail_id

-- name: forget_failed
-- Nobody asked for it to be sent again: its letter goes.
update mails set sealed = null where state = 'failed' and sealed is not null and changed_at < $1

-- name: list
select mail_id, issue_id, contact_id, template, language, class, purpose, state, attempts, smtp_code, reason,
    created_at, changed_at, sent_at
from mails
where ($1::text is null or state = $1) and ($2::text is null or template = $2)
order by mail_id desc limit $3

-- name: find
select mail_id, issue_id, contact_id, template, language, class, purpose, state, attempts, smtp_code, reason,
    created_at, changed_at, sent_at, next_attempt_at, subject_id, sealed
from mails where mail_id = $1

-- name: count_by_state
select template, class, state, count(*) as mails from mails group by template, class, state
order by template, class, state

-- name: retry
-- From the first attempt on. Marketing and mails of an issue are not repeated by hand.
update mails set state = 'intent', attempts = 0, reason = null, smtp_code = null, next_attempt_at = $2, changed_at = $2
where ($1::bigint[] is null or mail_id = any($1)) and state = 'failed' and class = 'statutory' and sealed is not null
returning mail_id
