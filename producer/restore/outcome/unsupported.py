"""What to say of all that the target's file system cannot keep, once for each kind."""

from __future__ import annotations

from tasks.sources.metadata import METADATA_NAMES, MetadataKind

#: These are entries of their own, not a property of entries.
_ENTRIES = frozenset({"device-node", "fifo", "symlink"})


def unsupported_message(kind: MetadataKind, count: int) -> str:
    """One line for ``count`` entries that lack ``kind``."""
    names = f"{METADATA_NAMES[kind]} ({count})"
    if kind == "hard-link":
        return f"{names} are restored as files of their own: the target does not support them"
    if kind in _ENTRIES:
        return f"{names} are not restored: the target's file system does not support them"
    if kind == "time":
        return f"{names} are rounded or not restored: the target's file system does not keep them"
    return f"{names} are not restored: the target's file system does not keep them"
