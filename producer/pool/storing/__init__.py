"""Orders that have segments stored, and what comes of those that store a segment again: of backups and repairs."""
