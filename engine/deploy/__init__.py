"""Deployments: one module each."""
