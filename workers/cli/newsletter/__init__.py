"""`lethe newsletter`: issues, from a file to everybody who agreed."""
