"""Recipes: composing YAML into a typed, frozen spec."""
