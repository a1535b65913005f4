"""`lethe policy`: the versions of the policy."""
