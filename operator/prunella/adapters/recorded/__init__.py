"""The ports over recorded history: what was measured, and nothing that answers to an action."""
