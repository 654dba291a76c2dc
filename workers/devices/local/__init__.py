"""A device that is a folder on a mounted disk."""
