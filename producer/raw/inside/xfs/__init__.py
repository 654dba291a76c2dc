"""Files inside XFS."""
