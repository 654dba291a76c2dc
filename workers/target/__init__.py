"""Writes below one folder and never outside it, whatever a message says or somebody has planted there."""
