"""Faults on real servers: whatever dies, every order reaches exactly one carrier exactly once."""
