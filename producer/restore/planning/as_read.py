"""The metadata of a file as it was read, which may not be what the walk saw."""

from __future__ import annotations

import stat

from producer.listing import EntryBatch
from producer.restore.planning.wanted import Wanted
from tasks.metadata import Attributes, without_capabilities
from tasks.mtimes import is_same_time

_SET_ID = stat.S_ISUID | stat.S_ISGID

#: (mode, uid, gid, mtime_ns) of a whole file; () for a piece, whose file is finished later.
Metadata = tuple[int, ...]


class AsRead:
    """``is_altered``: another reading than those that ``wanted`` knows of says that the content may be another's."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def metadata(self, batch: EntryBatch, place: int, *, is_altered: bool) -> Metadata:
        mode, uid, gid, mtime_ns = metadata_at(batch, place)
        entry = batch.first_entry + place
        return (self.mode(entry, mode, is_altered=is_altered), uid, gid, self.mtime_ns(entry, mtime_ns))

    def mode(self, entry: int, mode: int, *, is_altered: bool = False) -> int:
        """Without set-id bits where the content may be another's."""
        return mode & ~_SET_ID if is_altered or entry in self._wanted.altered else mode

    def attributes(self, entry: int, attributes: Attributes, *, is_altered: bool = False) -> Attributes:
        """As for set-id bits: another content gets no capabilities."""
        return without_capabilities(attributes) if is_altered or entry in self._wanted.altered else attributes

    def mtime_ns(self, entry: int, walked_ns: int) -> int:
        """The time of a file when it was read, if known: it may have been written after the walk."""
        read_ns = self._wanted.mtimes_ns.get(entry, walked_ns)
        return walked_ns if is_same_time(walked_ns, read_ns) else read_ns


def metadata_at(batch: EntryBatch, place: int) -> Metadata:
    return (batch.modes[place], batch.uids[place], batch.gids[place], batch.mtimes_ns[place])
