"""Tasks: what the target is, how good a prediction is, what it looks like."""
