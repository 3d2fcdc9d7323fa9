"""Adapters to the Kubernetes API: everything that watches, reads or changes a cluster."""
