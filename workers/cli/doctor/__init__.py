"""`lethe doctor`: what is wrong with this installation."""
