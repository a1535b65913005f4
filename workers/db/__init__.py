"""PostgreSQL: the schema, its migrations, and the named queries."""
