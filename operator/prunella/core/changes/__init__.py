"""What changed: differences of objects, what of them is noise, and what is kept of them."""
