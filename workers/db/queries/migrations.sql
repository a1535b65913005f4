-- name: create
create table if not exists migrations (
    name text primary key, checksum text not null, applied_at timestamptz not null default now()
)

-- name: checksum
select checksum from migrations where name = $1

-- name: record
insert into migrations (name, checksum) values ($1, $2)

-- name: applied
select name from migrations
