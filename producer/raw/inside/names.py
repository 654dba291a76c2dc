"""Which names of an image may become names of files on this host."""

from __future__ import annotations

#: As Linux has it.
LONGEST_NAME_BYTES = 255


def why_refused(name: bytes) -> str:
    """Why no file can have this name, or would lie elsewhere with it; "" for a name that any file may have."""
    if name in (b"", b".", b".."):
        return "cannot be the name of a file"
    if b"/" in name or b"\0" in name:
        return "has a slash or a zero byte in it"
    return "is too long" if len(name) > LONGEST_NAME_BYTES else ""
