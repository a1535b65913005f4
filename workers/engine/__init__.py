"""The engine moves data: intake, batch transaction, lanes, relay, retry, parking, watchdog."""
