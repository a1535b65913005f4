"""Real servers that hold invented people's data, for the tests that every kind of store must pass."""
