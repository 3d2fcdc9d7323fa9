"""Benchmarks: figures and how they were measured. Never assertions, see docs/benchmarks.md."""
