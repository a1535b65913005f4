"""Mail: what is to be said, to whom, and what became of it; from template to SMTP."""
