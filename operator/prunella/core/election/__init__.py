"""Who of several replicas leads: pure rules over a Lease and a monotonic clock."""
