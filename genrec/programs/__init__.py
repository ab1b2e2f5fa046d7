"""The page program: DSPy modules and the deterministic stages between them."""
