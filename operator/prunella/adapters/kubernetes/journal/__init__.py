"""The change journal on a real API server: what was last seen, what was written about it."""
