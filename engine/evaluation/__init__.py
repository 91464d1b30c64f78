"""Evaluation: scores with intervals, fairness, value, latency, and the gates over them."""
