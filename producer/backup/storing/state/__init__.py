"""The state of a backup: who has what, and what is in flight."""
