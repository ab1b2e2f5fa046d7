"""Whether a page is good: pure metrics and measured judges."""
