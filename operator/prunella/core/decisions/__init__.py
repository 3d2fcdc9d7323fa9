"""What is done about it: steps, guards, limits, and at most one command a pass."""
