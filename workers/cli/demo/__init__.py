"""`lethe demo`: the whole pipeline once, on sample orders, for invented readers, and without one who was erased."""
