"""Bringing a restored database up to date with what lies outside it: key epochs, the ledger, what was published."""
