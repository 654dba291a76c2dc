"""Parity of stored objects: how it is made, and how objects that are missing or damaged are read from it."""
