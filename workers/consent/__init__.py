"""Consent records, the contacts they belong to, suppression, tokens and floods: applied in the caller's transaction."""
