"""Detectors: one file each, pure."""
