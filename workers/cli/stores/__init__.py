"""`lethe stores`."""
