"""From what is sick, what changed and what is there to the likely cause, with its evidence."""
