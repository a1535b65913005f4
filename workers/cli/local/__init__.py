"""`lethe up`: all of Lethe on this machine."""
