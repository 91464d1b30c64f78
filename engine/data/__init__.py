"""Data: reading a table by its contract, checking it, splitting it."""
