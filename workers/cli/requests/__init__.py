"""`lethe requests`: what people ask about their data."""
