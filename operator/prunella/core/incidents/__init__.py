"""One incident for what belongs together, and who is suspected of it."""
