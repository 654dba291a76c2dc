"""Rewrite: snapshots without the paths that should never have been in them."""
