-- name: columns
-- The columns of a store's table. A type is told by what its values look like: text, whole number, number, uuid.
select column_name,
    case
        when collation_name like '%%\_ci' then 'text of any case'
        when collation_name is not null then 'text'
        when data_type in ('tinyint', 'smallint', 'mediumint', 'int', 'bigint') then 'bigint'
        when data_type = 'decimal' then 'numeric'
        else data_type
    end
from information_schema.columns
where table_schema = coalesce(%s, database()) and table_name = %s

-- name: references
-- Which table refers to which.
select table_schema, table_name, referenced_table_schema, referenced_table_name, database()
from information_schema.key_column_usage where referenced_table_name is not null

-- name: leading_columns
-- The columns that an index of the table begins with.
select column_name from information_schema.statistics
where table_schema = coalesce(%s, database()) and table_name = %s and seq_in_index = 1
