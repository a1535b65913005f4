"""Decisions: pure functions of (event, state, now). No await, clock, randomness or I/O."""
