"""`lethe mail`: the ledger of mails, the keys that sign them, a mail to try the way out."""
