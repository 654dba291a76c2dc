"""A backup, from the walk to the seal."""
