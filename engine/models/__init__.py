"""Models: one module a family."""
