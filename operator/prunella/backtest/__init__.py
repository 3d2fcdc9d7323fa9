"""A policy tried on history: the live engine over recorded samples, and what comes of it."""
