"""Requests of people about their data, and the erasure itself: desk, rounds, our own stores, the stores downstream."""
