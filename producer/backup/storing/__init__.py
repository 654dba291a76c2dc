"""Keeps every device busy until all segments are stored, whatever happens to the devices."""
