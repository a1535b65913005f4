"""What runs Lethe: the embedded stack and the carriers' configuration. Not shipped in the distribution."""
