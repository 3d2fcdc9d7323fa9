"""The simulated cluster and metric source, behind the same ports as the real ones."""
