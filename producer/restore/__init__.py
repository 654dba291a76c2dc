"""Restores: what is wanted, which orders bring it back, and what could not come back."""
