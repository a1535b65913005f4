"""`lethe publish` and `lethe validate`: files of events, as an upstream has them."""
