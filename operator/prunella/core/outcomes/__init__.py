"""What became of it: records, verification, escalation, and the status that tells."""
