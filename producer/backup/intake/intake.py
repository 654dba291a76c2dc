"""What the walk of a backup found, and the devices that take part."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence, Set

from msgspec import Struct, field

from producer.backup.kept_plan import Kept
from producer.backup.parent.merged import FileCounts
from producer.catalog.known_parts import KnownPart
from producer.listing.in_memory import DifferingBatches
from producer.pool.members import Member
from producer.raw.raw_volumes import RawVolume
from producer.walk.known import KnownDirectory
from tasks.sources.metadata import OwnerNames


class Intake(Struct, frozen=True, kw_only=True):
    """What the walk found, and the devices that take part.  The listing is in the catalog."""

    snapshot_id: str
    members: Mapping[str, Member]
    #: Devices of the pool that are not there → why.
    absent: Mapping[str, str]
    #: Members that were empty folders before.
    new: frozenset[str]
    #: By entry index: bytes to store; -1 for entries without data, and for those that the parent has.
    sizes: array[int]
    #: As the walk saw them: see :class:`producer.walk.Walk`.
    walked_sizes: array[int]
    ranges_counts: Mapping[int, int]
    source_starts: list[int]
    files_count: int
    #: Than in the last snapshot of the volume.
    files_fewer: int
    bytes_total: int
    #: What stays of the plan of an interrupted run; None: the snapshot is new.
    kept: Kept | None
    owner_names: OwnerNames
    #: The sources that are read raw, by name.
    raw_volumes: Mapping[str, RawVolume]
    #: The snapshot that the walk was compared with; "" for none.
    parent_id: str
    counts: FileCounts
    #: The segments of earlier snapshots that hold unchanged files, or what others are compared with.
    borrowed: Set[str]
    #: Of these, what no device has any more; unchanged files have it, and heal it.
    lost: Set[str] = frozenset()
    #: By entry index: the sizes of the extents that a file is compared in.
    extents_bytes: Mapping[int, Sequence[int]] = field(default_factory=dict)
    #: How many bytes are compared with what earlier segments hold.
    compared_bytes: int = 0
    #: What of the parent's tree the snapshot takes over; nothing while something is healed or resumed.
    known_parts: Sequence[KnownPart] = ()
    #: The directories that the next walk may know, by source and path in bytes.
    known_directories: Mapping[str, Mapping[bytes, KnownDirectory]] = field(default_factory=dict)
    #: Of a stream: the number of a segment → its file in the spool.
    spooled: Callable[[int], str] | None = None
    #: All batches of which something is stored; None where the listing has to be asked.
    differing: DifferingBatches | None = None
