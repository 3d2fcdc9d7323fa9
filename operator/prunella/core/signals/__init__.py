"""What a signal says of each target: confined queries, mapping, memories, verdicts."""
