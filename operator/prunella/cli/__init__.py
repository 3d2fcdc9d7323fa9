"""The `prunella` command, also `kubectl prunella`."""
