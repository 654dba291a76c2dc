"""The intake of a backup: the walk and asking the devices what they are, at the same time.

The workers take most of a second to boot; the walk uses that time.  A device that cannot take part ends the run as
soon as its worker says so, however long the walk would still last.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import asdict

from producer.backup.entries import Entries
from producer.backup.intake.begin import Begun, begin_with_parent
from producer.backup.intake.fewer_files import fewer_files_count, refuse_sudden_emptiness
from producer.backup.intake.intake import Intake
from producer.backup.intake.known_tree import KnownTree, known_tree
from producer.backup.intake.settle_pool import SettledPool, ask_devices, settle_pool
from producer.backup.kept_plan import Kept, carry_over
from producer.backup.resume import find_resumable
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tables.troubles import TroubleRow
from producer.observer import Progress, Trouble
from producer.pool.device_reports import DeviceReports
from producer.raw.raw_volumes import RawVolume, look_at_raw_volumes
from producer.raw.switch import explain
from producer.requests import BackupRequest
from producer.run.session import RunSession
from producer.walk import EarlyScan, Walk, limit_of_environment
from producer.walk.known import KnownDirectories
from tasks.errors import EmptySourceError

#: While the walk goes on: how often to see whether devices have answered, and to say how far it is.
_LOOK_EVERY_S = 0.05

#: Some 100 KB each.  A transaction of its own for each part would take longer than making the part.
_PARTS_AT_ONCE = 32


def take_in(
    session: RunSession,
    request: BackupRequest,
    left_out: Collection[Path] = (),
    early: EarlyScan | None = None,
    known: KnownDirectories | None = None,
) -> Intake:
    """Walk the sources into a new snapshot of the catalog; new devices get their markers on the way.

    ``left_out``, ``early``: see :class:`producer.walk.Walk`.  ``known``: what the last backup has remembered.
    Raises UsageError, NotADeviceError, DeviceError, InterruptedRun.
    """
    resumed = find_resumable(session.catalog, request)
    tree = None if resumed is not None else known_tree(session.catalog, request, known)
    return _IntakeRun(session, request, resumed, ask_devices(session), early, tree).run(left_out)


class _IntakeRun:
    def __init__(
        self,
        session: RunSession,
        request: BackupRequest,
        resumed: SnapshotRow | None,
        asked: DeviceReports,
        early: EarlyScan | None,
        known: KnownTree | None,
    ) -> None:
        self._session = session
        self._request = request
        self._resumed = resumed
        self._early = early
        self._known = known
        self._started_at = early.started_at if early is not None and early.is_fresh else datetime.now(UTC)
        self._asked = asked
        self._entries = Entries(session.on_file)
        self._troubles: list[Trouble] = []
        #: Both once all devices have answered.
        self._pool: SettledPool | None = None
        self._begun: Begun | None = None
        self._next_progress_s = 0.0

    def run(self, left_out: Collection[Path]) -> Intake:
        walk = self._walked(left_out)
        self._refuse_sudden_emptiness(walk)
        self._asked.wait()
        self._collect()
        self._entries.finish()
        self._record_parts()
        assert self._pool is not None and self._begun is not None
        kept = self._carry_over(self._begun.resumed, self._pool)
        self._begun.tell_stored_again(self._session.observer)
        self._record_troubles(self._begun.snapshot_id)
        return self._intake(walk, self._pool, self._begun, kept)

    def _intake(self, walk: Walk, pool: SettledPool, begun: Begun, kept: Kept | None) -> Intake:
        raw_volumes = self._look_at_raw_volumes(walk)
        return Intake(
            snapshot_id=begun.snapshot_id,
            members=pool.members,
            absent=pool.absent,
            new=pool.new,
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
            parent_id=begun.parent_id,
            counts=begun.counts(walk.files_count),
            borrowed=begun.borrowed(),
            extents_bytes=self._entries.extents_bytes,
            compared_bytes=begun.compared_bytes,
            lost=begun.lost,
            known_parts=begun.known_parts(),
            known_directories=self._entries.known if begun.is_plain else {},
            differing=self._entries.differing if begun.is_plain and self._entries.differing.fits else None,
        )

    def _look_at_raw_volumes(self, walk: Walk) -> dict[str, RawVolume]:
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
        return raw_volumes

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
            before=self._known,
        )
        next_look_s = 0.0
        for walked in walk.walked():
            self._entries.add(walked)
            # Each look may take a millisecond, and a tree has thousands of batches.
            if time.monotonic() >= next_look_s:
                self._collect()
                next_look_s = time.monotonic() + _LOOK_EVERY_S
        return walk

    def _refuse_sudden_emptiness(self, walk: Walk) -> None:
        catalog, begun = self._session.catalog, self._begun
        try:
            refuse_sudden_emptiness(
                catalog, self._request, walk.files_counts, self._resumed if begun is None else begun.resumed
            )
        except EmptySourceError:
            if begun is not None and begun.resumed is None:
                catalog.snapshots.discard(begun.snapshot_id)
            raise

    def _carry_over(self, resumed: SnapshotRow | None, pool: SettledPool) -> Kept | None:
        if resumed is None:
            return None
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
            begun = self._begun = begin_with_parent(
                self._session, self._request, self._resumed, self._started_at, self._pool, self._known
            )
            self._entries.begin(begun.merge, begun.overlay, knows_parent=begun.knows_parent)
        if len(self._entries.parts) >= _PARTS_AT_ONCE:
            self._record_parts()

    def _record_parts(self) -> None:
        begun = self._begun
        if begun is None or begun.resumed is not None or not self._entries.parts:
            # A resumed one is compared with the old listing when the walk is over.
            return
        with self._session.catalog.transaction():
            for part in self._entries.take_parts():
                self._session.catalog.listing.add_part(begun.snapshot_id, **asdict(part))

    def _record_troubles(self, snapshot_id: str) -> None:
        self._session.catalog.troubles.add(
            snapshot_id,
            [
                TroubleRow(entry_index=None, path=trouble.path, code=trouble.code, message=trouble.message)
                for trouble in self._troubles
            ],
        )
