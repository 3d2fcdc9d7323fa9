"""Mutation testing of what decides: small faults in the code, each of which a test must see."""
