"""`lethe dlq`: dead letters."""
