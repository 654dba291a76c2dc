"""Repack: what is needed of objects that are mostly dead is written again, so that the rest of them can go."""
