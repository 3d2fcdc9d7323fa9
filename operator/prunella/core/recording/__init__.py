"""A policy's baselines and burn rates as recording rules, for a ruler to evaluate."""
