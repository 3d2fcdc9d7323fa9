"""`prunella new` and `prunella suggest`: policies from the ready playbooks."""
