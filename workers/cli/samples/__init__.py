"""Sample events: invented people who order things, and what can be wrong with an event."""
