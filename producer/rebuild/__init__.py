"""Rebuild: the catalog, made again from what the devices hold."""
