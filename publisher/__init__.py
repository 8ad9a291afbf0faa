"""Verify a bundle, write it, commit the indexes: use cases over small ports, and the adapters that make them real."""
