-- name: columns
-- The columns of a store's table. A type is told by what its values look like: text, whole number, number, uuid.
select attname as name,
    case
        when typcategory = 'S' then 'text'
        when typname in ('int2', 'int4', 'int8') then 'bigint'
        when typcategory = 'N' then 'numeric'
        when typname = 'uuid' then 'uuid'
        else typname::text
    end as type
from pg_attribute join pg_type on pg_type.oid = atttypid
where attrelid = to_regclass($1) and attnum > 0 and not attisdropped

-- name: references
-- Which table refers to which, by their object ids as the store file names them.
select referring.name as referring, referred.name as referred
from pg_constraint
join unnest($1::text[]) as referring (name) on to_regclass(referring.name) = conrelid
join unnest($1::text[]) as referred (name) on to_regclass(referred.name) = confrelid
where contype = 'f'

-- name: leading_columns
-- The columns that an index of the table begins with, as far as they are plain columns or lower() of one.
select pg_get_indexdef(indexrelid, 1, true) as leading from pg_index where indrelid = to_regclass($1) and indisvalid
