-- name: creation
-- A name cannot be a parameter of the command itself; this quotes it.
select format('create database %I', $1::text)
