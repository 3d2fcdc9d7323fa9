"""Checks of policies before they reach a cluster: syntax, schema, queries, and good sense."""
