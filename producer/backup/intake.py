"""The intake of a backup: the walk and asking the devices what they are, at the same time.

The workers take most of a second to boot; the walk uses that time.  A device that cannot take part ends the run as
soon as its worker says so, however long the walk would still last.
"""

from __future__ import annotations

import platform
import time
import uuid
from array import array
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import asdict

from producer.backup.entries import Entries
from producer.backup.fewer_files import fewer_files_count, refuse_sudden_emptiness
from producer.backup.kept_plan import Kept, carry_over
from producer.backup.parent.choose import merge_with, parent_in_pool
from producer.backup.parent.merge import Merge
from producer.backup.parent.merged import FileCounts
from producer.backup.parent.overlay import Overlay
from producer.backup.resume import find_resumable
from producer.backup.settle_pool import SettledPool, ask_devices, settle_pool
from producer.catalog.known_parts import KnownPart
from producer.catalog.tables.snapshots.rows import NewSnapshot, SnapshotRow, SourceRow
from producer.catalog.tables.troubles import TroubleRow
from producer.configuration.values.sizes import format_size
from producer.listing.in_memory import DifferingBatches
from producer.observer import Progress, Trouble
from producer.pool.device_reports import DeviceReports
from producer.pool.members import Member
from producer.raw.raw_volumes import RawVolume, look_at_raw_volumes
from producer.raw.switch import explain
from producer.requests import BackupRequest
from producer.run.session import RunSession
from producer.walk import EarlyScan, Walk, limit_of_environment
from tasks.errors import EmptySourceError
from tasks.sources.metadata import OwnerNames

#: While the walk goes on: how often to see whether devices have answered, and to say how far it is.
_LOOK_EVERY_S = 0.05


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
    #: By entry index: the sizes of the extents that a file is compared in, if several.
    extents_bytes: Mapping[int, Sequence[int]] = field(default_factory=dict)
    #: How many bytes are compared with what earlier segments hold.
    compared_bytes: int = 0
    #: What of the parent's tree the snapshot takes over; nothing while something is healed or resumed.
    known_parts: Sequence[KnownPart] = ()
    #: Of a stream: the number of a segment → its file in the spool.
    spooled: Callable[[int], str] | None = None
    #: All batches of which something is stored; None where the listing has to be asked.
    differing: DifferingBatches | None = None


def take_in(
    session: RunSession, request: BackupRequest, left_out: Collection[Path] = (), early: EarlyScan | None = None
) -> Intake:
    """Walk the sources into a new snapshot of the catalog; new devices get their markers on the way.

    ``left_out``, ``early``: see :class:`producer.walk.Walk`.
    Raises UsageError, NotADeviceError, DeviceError, InterruptedRun.
    """
    resumed = find_resumable(session.catalog, request)
    return _IntakeRun(session, request, resumed, ask_devices(session), early).run(left_out)


class _IntakeRun:
    def __init__(
        self,
        session: RunSession,
        request: BackupRequest,
        resumed: SnapshotRow | None,
        asked: DeviceReports,
        early: EarlyScan | None,
    ) -> None:
        self._session = session
        self._request = request
        self._resumed = resumed
        self._snapshot_id = resumed.snapshot_id if resumed is not None else uuid.uuid4().hex
        self._early = early
        self._started_at = early.started_at if early is not None and early.is_fresh else datetime.now(UTC)
        self._asked = asked
        self._entries = Entries(session.on_file)
        self._merge: Merge | None = None
        self._overlay: Overlay | None = None
        self._parent_id = ""
        self._troubles: list[Trouble] = []
        self._pool: SettledPool | None = None
        self._next_progress_s = 0.0

    def run(self, left_out: Collection[Path]) -> Intake:
        walk = self._walked(left_out)
        self._refuse_sudden_emptiness(walk)
        self._asked.wait()
        self._collect()
        self._entries.finish()
        self._record_parts()
        assert self._pool is not None
        kept = self._carry_over(self._resumed, self._pool) if self._resumed is not None else None
        self._tell_stored_again()
        self._record_troubles()
        has_agents = any(map(self._session.fleet.is_shared, self._session.paths))
        raw_volumes, notes = look_at_raw_volumes(
            self._request,
            walk.first_entries,
            walk.sizes,
            for_agents=has_agents,
            on_wait=self._session.interrupt.check,
        )
        for note in [*notes, *explain(self._request, walk.files_counts, has_agents=has_agents)]:
            self._session.observer.note(note)
        return Intake(
            snapshot_id=self._snapshot_id,
            members=self._pool.members,
            absent=self._pool.absent,
            new=self._pool.new,
            sizes=self._entries.sizes,
            walked_sizes=walk.sizes,
            ranges_counts=self._entries.ranges_counts(walk.ranges_counts),
            source_starts=walk.source_starts,
            files_count=walk.files_count,
            files_fewer=fewer_files_count(self._session.catalog, self._request, walk.files_count),
            bytes_total=walk.bytes_total,
            kept=kept,
            owner_names=walk.owners.names(),
            raw_volumes=raw_volumes,
            parent_id=self._parent_id,
            counts=FileCounts(new=walk.files_count) if self._merge is None else self._merge.counts,
            borrowed=self._borrowed(),
            extents_bytes=self._entries.extents_bytes,
            compared_bytes=0 if self._merge is None else self._merge.compared_bytes,
            lost=frozenset() if self._merge is None else frozenset(self._merge.lost),
            known_parts=self._known_parts(),
            differing=self._entries.differing if self._is_plain and self._entries.differing.fits else None,
        )

    def _walked(self, left_out: Collection[Path]) -> Walk:
        """Walk the sources, and collect the devices' reports meanwhile."""
        walk = Walk(
            self._request.sources,
            self._request.exclusions,
            on_trouble=self._note_trouble,
            on_progress=self._on_directory,
            limit_s=limit_of_environment(),
            left_out=left_out,
            early=self._early,
        )
        next_look_s = 0.0
        for batch in walk.batches():
            self._entries.add(batch)
            # Each look may take a millisecond, and a tree has thousands of batches.
            if time.monotonic() >= next_look_s:
                self._collect()
                next_look_s = time.monotonic() + _LOOK_EVERY_S
        return walk

    def _borrowed(self) -> Set[str]:
        of_parent = frozenset[str]() if self._merge is None else self._merge.borrowed | self._merge.compared
        return of_parent if self._overlay is None else of_parent | self._overlay.compared

    @property
    def _is_plain(self) -> bool:
        """Whether nothing but what differs is stored: healing, or a run before this one, may store others anew."""
        return self._resumed is None and not (self._merge is not None and self._merge.lost)

    def _known_parts(self) -> Sequence[KnownPart]:
        return self._merge.known_parts() if self._merge is not None and self._is_plain else ()

    def _tell_stored_again(self) -> None:
        counts = FileCounts() if self._merge is None else self._merge.counts
        if counts.again:
            files = "1 unchanged file" if counts.again == 1 else f"{counts.again} unchanged files"
            size = format_size(counts.again_bytes)
            self._session.observer.note(f"no device has {size} of {files} any more; it is stored again")

    def _refuse_sudden_emptiness(self, walk: Walk) -> None:
        catalog = self._session.catalog
        try:
            refuse_sudden_emptiness(catalog, self._request, walk.files_counts, self._resumed)
        except EmptySourceError:
            if self._pool is not None and self._resumed is None:
                catalog.snapshots.discard(self._snapshot_id)
            raise

    def _carry_over(self, resumed: SnapshotRow, pool: SettledPool) -> Kept | None:
        return carry_over(self._session.catalog, resumed, self._entries.take_parts(), pool.members)

    def _on_directory(self, files_count: int, bytes_total: int) -> None:
        self._session.interrupt.check()
        # A tree has thousands of directories.
        if time.monotonic() < self._next_progress_s:
            return
        self._next_progress_s = time.monotonic() + _LOOK_EVERY_S
        self._session.observer.progress(Progress(phase="walking", files_count=files_count, bytes_total=bytes_total))

    def _note_trouble(self, trouble: Trouble) -> None:
        self._troubles.append(trouble)
        self._session.observer.trouble(trouble)

    def _collect(self) -> None:
        """Once all devices have answered, settle the pool; from then on parts go straight into the catalog."""
        if not self._asked.collect(0.001):
            return
        if self._pool is None:
            self._pool = settle_pool(self._session, self._request, self._resumed, self._asked)
            self._begin_with_parent(self._pool)
        self._record_parts()

    def _record_parts(self) -> None:
        if self._resumed is not None or not self._entries.parts:
            # A resumed one is compared with the old listing when the walk is over.
            return
        with self._session.catalog.transaction():
            for part in self._entries.take_parts():
                self._session.catalog.listing.add_part(self._snapshot_id, **asdict(part))

    def _begin_with_parent(self, pool: SettledPool) -> None:
        """Begin or resume the snapshot, which keeps its parent from now on, and merge the walk with that."""
        catalog = self._session.catalog
        with catalog.transaction():
            parent = parent_in_pool(catalog, self._request, pool.pool_id)
            self._begin_or_resume(pool.pool_id, "" if parent is None else parent.snapshot_id)
        if parent is not None:
            self._merge = merge_with(self._session, self._request, parent, pool.members)
            if self._merge is not None:
                self._parent_id = parent.snapshot_id
            else:
                catalog.snapshots.set_parent(self._snapshot_id, "")
        if self._resumed is not None:
            live_ids = {member.device_id for member in pool.members.values() if member.is_live}
            self._overlay = Overlay(catalog, self._resumed, live_ids)
        self._entries.begin(self._merge, self._overlay)

    def _begin_or_resume(self, pool_id: str, parent_id: str) -> None:
        if self._resumed is not None and self._resumed.pool_id == pool_id:
            self._session.catalog.snapshots.set_parent(self._snapshot_id, parent_id)
            begun = f"{self._resumed.started_at.astimezone():%Y-%m-%d %H:%M}"
            self._session.observer.note(f"continuing snapshot {self._snapshot_id[:8]}, begun {begun}")
            if self._request.description:
                self._session.catalog.snapshots.describe(self._snapshot_id, self._request.description)
            return
        if self._resumed is not None:
            self._session.observer.note(
                f"snapshot {self._snapshot_id[:8]}, which was interrupted, is in another pool; a new one begins"
            )
            self._resumed, self._snapshot_id = None, uuid.uuid4().hex
        self._begin_snapshot(pool_id, parent_id)

    def _begin_snapshot(self, pool_id: str, parent_id: str) -> None:
        request = self._request
        self._session.catalog.snapshots.begin(
            NewSnapshot(
                snapshot_id=self._snapshot_id,
                pool_id=pool_id,
                volume=request.volume,
                mode=request.read_mode,
                hostname=platform.node(),
                tags=request.tags,
                description=request.description,
                sources=tuple(
                    SourceRow(name=source.name, path=str(source.path), mode=source.mode) for source in request.sources
                ),
                request=request.to_json(),
                started_at=self._started_at,
                parent_id=parent_id,
                copies=request.plan.copies,
                parity=request.plan.parity,
            )
        )

    def _record_troubles(self) -> None:
        self._session.catalog.troubles.add(
            self._snapshot_id,
            [
                TroubleRow(entry_index=None, path=trouble.path, code=trouble.code, message=trouble.message)
                for trouble in self._troubles
            ],
        )
