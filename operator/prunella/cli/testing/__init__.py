"""`prunella test`: finding and reading test files, and telling what came of them."""
