"""Features: from declared columns to arrays, fitted on training rows only, and the same steps as a graph."""
