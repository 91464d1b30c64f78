"""How much of a table that is larger than memory is held at a time, in memory and on disk: numbers alone."""

from __future__ import annotations

# Rows that are read and checked at a time: enough that polars' own work outweighs ours.
PART_ROWS = 500_000
# Rows of each part that stay in memory.
MOST_HELD = 250_000
_MOST_HELD_CELLS = 2**24
# What a value takes on disk, about: of 10,000,000 rows of six columns it was 5.2.
PACKED_BYTES = 6


def n_held(n_columns: int, *, most: int = MOST_HELD) -> int:
    """Return how many rows of each part stay in memory at most: fewer where they are wide."""
    return max(min(most, _MOST_HELD_CELLS // max(n_columns, 1)), 1)
