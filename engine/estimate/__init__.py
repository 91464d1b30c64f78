"""Estimates of what a run takes, from the sizes of its work and costs that were measured."""
