"""Metadata of restored entries: owner, mode, time, extended attributes; and what could not be set."""
