"""What a backup takes over from an earlier snapshot: which one, which files, and where they are."""
