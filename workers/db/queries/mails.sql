-- name: post
insert into mails (
    contact_id, subject_id, template, language, class, purpose, dedupe_key, sealed, next_attempt_at, created_at,
    changed_at
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9)
on conflict (dedupe_key) do nothing
returning mail_id
