"""`prunella doctor`: what keeps the operator from seeing, mapping and acting."""
