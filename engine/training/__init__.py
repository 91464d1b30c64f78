"""Training: fitting one candidate, and the baselines beside it."""
