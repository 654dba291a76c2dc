"""Compares what the devices hold with the catalog."""
