"""The outside world behind the ports, and its simulated twins."""
