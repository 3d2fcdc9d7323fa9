"""What the detectors of trends share: trends, sawteeth and rank tests."""
