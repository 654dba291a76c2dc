"""Measures segfleet and other programs side by side, in one run, on the same data."""
