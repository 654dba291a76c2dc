"""The segment format, as docs/format.md specifies it: what the bytes of a stored segment mean."""
