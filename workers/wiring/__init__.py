"""The composition root's parts: one file per worker says what it is made of."""
