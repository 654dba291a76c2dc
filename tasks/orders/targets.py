"""Orders that change a restore's target, and need no stored data."""

from __future__ import annotations

from operator import add
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from tasks.orders.order import Order
from tasks.sources.metadata import Attributes, Flags, OwnerNames
from tasks.values import MAX_EXTENTS, Count, Counts, RelativePath, SourceName, is_safe_path

#: What becomes of what is in the target already (docs/restore.md).
Overwrite = Literal["always", "if-changed", "if-newer", "never"]
#: With these, what the snapshot has an entry for may be something else that stays.
KEEP_OTHERS = ("never", "if-newer")

EntryKind = Literal[
    "directory", "file", "symlink", "hardlink", "fifo", "character", "block", "flags", "absent", "note", "surplus"
]


class TargetEntry(Struct, frozen=True, kw_only=True):
    """One entry to make, or to finish, in the target.

    A directory is made for its owner alone.  It gets its metadata when it comes a second time, with ``finish`` set,
    after everything in it: so the deepest come first.  The path "" is the target itself, which keeps its metadata if it
    was there before the restore; with ``never`` and ``if-newer`` so does each directory.

    ``kind="file"`` with ``size_bytes`` 0 makes an empty file.  With ``size_bytes`` > 0 it is for a file that has holes,
    or extents in several segments, and it comes twice.  The first time, before any extent is ordered, ``overwrite``
    decides.  A file that is kept is reported as a trouble with the code ``skipped``, which is no error: the manager
    leaves out its extents and its finish.  Otherwise the file is made under a temporary name, which follows from the
    run and the path, and what is at ``path`` stays.  The second time, with ``finish``, the ranges
    ``hole_offsets_bytes``, ``hole_sizes_bytes``, which no extent covers, become zeros; then the file is cut to
    ``size_bytes``, gets its metadata, and is renamed to ``path``.

    ``link`` is the text of a symlink, or the path in the target that a hard link joins; hard links come after that
    file is finished.  With ``never`` and ``if-newer`` that file may be another one, which the size and metadata of the
    hard link show: then no link is made, and the trouble has the code ``other-file``.  ``device_number`` is for device
    nodes.

    ``flags`` sets the file flags of what is there; it comes after everything else, because nothing can be written to an
    immutable file, or linked to it.  ``absent`` removes what has been written of a file that this restore could not
    complete.  ``note`` is a small file that holds ``text``, and replaces whatever file is there.  ``surplus`` removes
    what is at ``path``, a folder only if it is empty.
    """

    kind: EntryKind
    path: RelativePath
    mode: Annotated[int, Meta(ge=0, le=0o7777)]
    uid: Count
    gid: Count
    mtime_ns: int
    size_bytes: Count = 0
    link: str = ""
    device_number: Count = 0
    finish: bool = False
    text: Annotated[str, Meta(max_length=4 * 1024 * 1024)] = ""
    attributes: Attributes = field(default_factory=dict)
    flags: Flags = 0
    hole_offsets_bytes: Counts = ()
    hole_sizes_bytes: Counts = ()

    def __post_init__(self) -> None:
        if len(self.hole_offsets_bytes) != len(self.hole_sizes_bytes):
            raise ValueError("the columns of holes differ in length")
        stops_bytes = map(add, self.hole_offsets_bytes, self.hole_sizes_bytes)
        if any(stop_bytes > self.size_bytes for stop_bytes in stops_bytes):
            raise ValueError("a hole reaches beyond the file")
        if not is_safe_path(self.path) or (self.kind == "hardlink" and not is_safe_path(self.link)):
            raise ValueError("a path of a target entry leaves the target")


class RestoreEntries(Order, frozen=True, kw_only=True):
    """Make or finish entries that need no stored data, in the given order.

    A missing target is made.  With ``must_be_empty`` it is checked first: if the target holds anything that an earlier
    delivery of this order did not make, the order fails with code ``target-not-empty``, and nothing is made.  With
    ``sweep`` the temporary files of other runs are removed from the target and from the directories of the order.  With
    ``claim`` files that come from several segments keep theirs beside them, until they are finished: see
    ``RestoreSegment.reuse``.
    """

    target: SourceName
    entries: Annotated[tuple[TargetEntry, ...], Meta(max_length=MAX_EXTENTS)]
    overwrite: Overwrite
    must_be_empty: bool = False
    sweep: bool = False
    claim: bool = False
    owner_names: OwnerNames = field(default_factory=OwnerNames)


class PrepareImage(Order, frozen=True, kw_only=True):
    """Prepare the target for the image of a raw volume: the target is a block device or a regular file.

    Refused (code ``target``, or ``target-not-empty`` without ``force``): a block device that is mounted or in use, one
    smaller than ``size_bytes``, one that holds a file system or partitions; a file that holds anything but holes.

    A file gets its size.  The zero ranges are filled with zeros on a block device, and become holes in a file.  No
    piece is written to these ranges, and nothing else of the target changes, so the order may be repeated at any time.
    With ``finish`` the target is synced; that comes after all segments.
    """

    target: SourceName
    size_bytes: Count
    zero_offsets_bytes: Counts
    zero_sizes_bytes: Counts
    force: bool
    finish: bool = False

    def __post_init__(self) -> None:
        if len(self.zero_offsets_bytes) != len(self.zero_sizes_bytes):
            raise ValueError("the columns of zero ranges differ in length")
