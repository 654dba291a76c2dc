"""Is a file as it was in the parent snapshot?  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from producer.listing.data_ranges import data_bytes
from producer.listing.entry import EntryBatch

#: A file system may stamp a change with a clock that is behind: some count in steps of 2 s.
CLOCK_STEP_NS = 2_000_000_000


class Rules(Struct, frozen=True, kw_only=True):
    """What must be equal, beside kind, size and mtime.

    ``began_ns``: when the parent's walk began.  What was changed later is never trusted: the parent may have seen it
    before, with the same times.
    """

    began_ns: int
    compares_ctime: bool = True
    #: Inode numbers mean something on the host that gave them.
    compares_inode: bool = True

    def is_settled(self, batch: EntryBatch, place: int) -> bool:
        """Whether the file, as the walk sees it, was last changed well before the parent's walk."""
        changed_ns = batch.ctimes_ns[place] if self.compares_ctime else batch.mtimes_ns[place]
        return self.are_settled([changed_ns])

    def are_settled(self, changed_ns: Iterable[int]) -> bool:
        """Whether all that was changed at these times was changed well before the parent's walk."""
        return max(changed_ns, default=0) < self.settled_before_ns

    def has_settled(self, batch: EntryBatch) -> bool:
        """Whether that holds for all files of the batch."""
        changed_ns = batch.ctimes_ns if self.compares_ctime else batch.mtimes_ns
        return self.are_settled(time_ns for time_ns, kind in zip(changed_ns, batch.kinds, strict=True) if kind == "f")

    @property
    def settled_before_ns(self) -> int:
        return self.began_ns - CLOCK_STEP_NS

    def is_same(self, batch: EntryBatch, place: int, before: EntryBatch, at: int) -> bool:
        """Whether the file at ``place`` of the walk's batch is the one ``at`` its place in the parent's.

        Says nothing of where its bytes are, nor whether they were read completely.
        """
        return (
            before.kinds[at] == "f"
            and batch.sizes_bytes[place] == before.sizes_bytes[at]
            and batch.mtimes_ns[place] == before.mtimes_ns[at]
            and (not self.compares_ctime or batch.ctimes_ns[place] == before.ctimes_ns[at])
            and (not self.compares_inode or _inode(batch, place) == _inode(before, at))
            # A file system may report other holes than before, though nobody has changed the file.
            and batch.ranges_at(place) == before.ranges_at(at)
            and self.is_settled(batch, place)
        )


def is_whole(batch: EntryBatch, place: int) -> bool:
    """Whether all of the file is in the parent, as it was at one moment."""
    name = batch.names[place]
    if name in batch.unread or name in batch.unsettled:
        return False
    return data_bytes(batch.ranges_at(place)) == 0 or batch.places.has(place, name)


def _inode(batch: EntryBatch, place: int) -> int:
    return batch.inodes[place] if batch.inodes else 0
