"""`lethe certificate`: what was erased where, with evidence."""
