"""Reading what is backed up: files opened safely below a root, and extents as one stream of bytes."""
