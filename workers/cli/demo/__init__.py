"""`lethe demo`: the whole pipeline once, on sample orders."""
