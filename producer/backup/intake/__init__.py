"""The intake of a backup: what is walked, which devices take part, and the snapshot that begins."""
