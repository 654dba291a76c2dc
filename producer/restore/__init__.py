"""Restores: what is wanted, which orders restore it, and what could not be restored."""
