"""`prunella topology`: who calls whom and what stands on what, drawn."""
