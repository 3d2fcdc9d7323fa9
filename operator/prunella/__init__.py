"""Prunella: heals Kubernetes workloads by policy, with guards, reasons and proof."""

__version__ = "0.1.0"
