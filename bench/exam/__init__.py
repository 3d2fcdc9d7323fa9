"""The exam: every fault of the shop on a real control plane, and what incidents make of it."""
