"""`lethe keys`: the key epochs."""
