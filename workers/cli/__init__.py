"""The `lethe` command: one module per group of commands."""
