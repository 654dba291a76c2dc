"""Backups of streams: standard input, or what a command writes.  A stream is read once, and its length is unknown."""
