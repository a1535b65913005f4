"""The vault: data keys per subject, key epochs outside the database, keyed look-up hashes."""
