"""The shop: a data plane for the lab, so that faults have consequences without containers."""
