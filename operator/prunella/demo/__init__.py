"""The demo: one story told on the simulator or on a real cluster, by the same engine."""
