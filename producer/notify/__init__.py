"""Tells people of changes: a backup that failed, a device in trouble, an overdue volume, and that all is well again."""
