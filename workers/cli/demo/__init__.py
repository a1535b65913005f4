"""`lethe demo`: the whole pipeline once, on sample orders and for invented readers."""
