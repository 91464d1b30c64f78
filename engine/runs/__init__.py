"""Runs: the folder, the bundle, the manifest, and comparing two of them."""
