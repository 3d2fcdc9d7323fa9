"""The parts of the baseline detector."""
