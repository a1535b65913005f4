-- name: record
insert into keyring_checks (purpose, check_value) values ($1, $2) on conflict do nothing

-- name: read
select purpose, check_value from keyring_checks
