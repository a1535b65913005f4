"""`lethe postbox`: mails to the shop."""
