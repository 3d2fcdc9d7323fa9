"""The pure core: detect, decide, verify. It explains itself by what it returns."""
