"""Commands for scheduled backups."""
