"""Mail to people: the ledger of mails and what writes to it."""
