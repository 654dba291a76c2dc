"""Prune: deletes from the devices what no snapshot needs any more."""
