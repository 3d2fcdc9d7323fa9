"""PromQL over samples in memory, for the simulator, recorded history and policy tests."""
