"""The database of a catalog: found, opened, brought to this release, copied."""
