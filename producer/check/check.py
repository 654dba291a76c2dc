"""A check: do the devices hold what the snapshots need?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain

from producer.catalog.tables.checks import VolumeCheck
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tree import Tree
from producer.catalog.untaken import untaken
from producer.check.choosing import due, subset
from producer.check.findings import Findings
from producer.check.losses import Damage, LostFile, LostFiles, LostRange, lost_ranges
from producer.check.manifests import ManifestCheck
from producer.check.verifying import Verifier
from producer.configuration.values.ages import oldest_of
from producer.listing.entry import NOT_STORED
from producer.observer import Observer
from producer.pool.losses.away import refresh_away
from producer.pool.losses.damage import refresh_damage
from producer.pool.manifests.unknown_snapshots import find_snapshot, tell_unknown_snapshots
from producer.pool.parity.checking import verify_parity
from producer.pool.parity.group_reads import GroupReads
from producer.pool.present import present_devices
from producer.requests import CheckRequest
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import CheckSummary, SnapshotLoss

#: How long an interrupted check can be continued; later, what it has seen may have changed.
_CONTINUED_FOR = timedelta(days=7)


def check(request: CheckRequest, observer: Observer, environment: Environment) -> CheckSummary:
    """Check one snapshot, or all: every segment, every manifest, on the devices that are there.

    Reports damage to the observer, with the files it affects (exit code 3).  Changes nothing on the devices; the
    catalog remembers what was looked at and when, and which objects are damaged, for the next backup to heal.
    """
    with open_session(RunNeeds(devices=request.devices, purpose="check"), observer, environment) as session:
        return recorded(session, "check", "", lambda: check_in_session(session, request))


def check_in_session(session: RunSession, request: CheckRequest) -> CheckSummary:
    return _Check(session, request).run()


class _Check:
    def __init__(self, session: RunSession, request: CheckRequest) -> None:
        self._session = session
        self._request = request
        self._findings = Findings(session.observer)
        self._started_s = time.monotonic()
        self._started_at = datetime.now(UTC)
        self._present: dict[str, str] = {}
        self._trees: dict[str, Tree] = {}
        self._lacking: list[SnapshotLoss] = []

    def run(self) -> CheckSummary:
        catalog, name = self._session.catalog, self._request.snapshot
        snapshots = catalog.snapshots.all() if name is None else [find_snapshot(self._session, name)]
        self._session.begin_reading([snapshot.snapshot_id for snapshot in snapshots])
        self._trees = {snapshot.snapshot_id: catalog.trees.of(snapshot.snapshot_id) for snapshot in snapshots}
        # Also the pools of which every snapshot was forgotten.
        known = {device.pool_id for device in catalog.devices.all()} if name is None else ()
        self._present = present_devices(self._session, snapshots, and_pools=known)
        unknown_count = tell_unknown_snapshots(self._session, self._present)
        if name is None and unknown_count:
            # Without the catalog's word on them nobody can say whether they are whole.
            self._findings.errors_count += 1
        manifests = ManifestCheck(self._session, self._present, self._findings)
        for snapshot in snapshots:
            if snapshot.head_digest is not None:
                manifests.check(snapshot)
            self._tell_omitted(snapshot)
            self._tell_untaken(snapshot)
        return self._check_segments(snapshots)

    def _tell_untaken(self, snapshot: SnapshotRow) -> None:
        """Name what the backup could not store whole."""
        for row in untaken(self._session.catalog.troubles.all(snapshot.snapshot_id), snapshot.sources):
            of = {"path": row.path, "snapshot_id": snapshot.snapshot_id}
            self._findings.tell("not-stored", f"the backup could not store all of it: {row.message}", **of)

    def _tell_omitted(self, snapshot: SnapshotRow) -> None:
        for batch in self._trees[snapshot.snapshot_id].batches() if snapshot.has_omitted else ():
            for name, (code, why) in batch.unread.items():
                if code == NOT_STORED:
                    path = f"{batch.source}/{batch.prefix}{name}"
                    self._findings.tell(code, why, path=path, snapshot_id=snapshot.snapshot_id)

    # ---- segments

    def _check_segments(self, snapshots: Iterable[SnapshotRow]) -> CheckSummary:
        newest_first = list(reversed(list(snapshots)))
        needed = dict.fromkeys(chain.from_iterable(tree.parts_of_segments for tree in self._trees.values()))
        known = self._session.catalog.objects.of(needed)
        index = {segment_id: known.get(segment_id, []) for segment_id in needed}
        rows = list(chain.from_iterable(index.values()))
        chosen = subset(self._due(rows), self._request)
        verifier = Verifier(self._session, self._request, self._present)
        parity_bytes = 0 if self._request.is_partial else self._check_parity()
        died: Mapping[str, str] = {}
        try:
            died = verifier.verify(chosen)
        finally:
            # An interrupted check reports what it has found, too.
            self._findings.tell_deaths(died)
            self._tell_damage(newest_first, index, verifier.damages)
        if not died:
            self._record_volumes(newest_first)
        if not self._session.catalog.why_read_only:
            refresh_damage(self._session.catalog)
            for pool_id in {snapshot.pool_id for snapshot in newest_first}:
                refresh_away(self._session.catalog, pool_id)
        return CheckSummary(
            snapshots=len(newest_first),
            snapshots_damaged=tuple(self._lacking),
            segments=verifier.segments_count,
            segments_skipped=len(rows) - len(chosen),
            bytes_read=verifier.bytes_read + parity_bytes,
            errors=self._findings.errors_count,
            duration_s=round(time.monotonic() - self._started_s, 3),
            exit_code=3 if self._findings.errors_count else 0,
        )

    def _due(self, rows: list[StoredObject]) -> list[StoredObject]:
        """The objects that no check has verified within the given age, or since an interrupted check began."""
        age, now = self._request.older_than, datetime.now(UTC)
        if age is not None:
            return due(rows, oldest_of(age, now), read_data=self._request.read_data)
        began = self._session.catalog.runs.unfinished_since("check", but=self._session.run_id)
        if began is None or self._request.is_partial:
            return rows
        since = max(began, now - _CONTINUED_FOR)
        left = due(rows, since, read_data=self._request.read_data)
        if len(left) < len(rows):
            done = len(rows) - len(left)
            at = since.strftime("%Y-%m-%d %H:%M UTC")
            self._session.observer.note(
                f"continues the check of {at}: {done} of {len(rows)} segments were verified since; --older-than 0h "
                "verifies them again"
            )
        return left

    # ---- reports

    def _tell_damage(
        self, newest_first: Iterable[SnapshotRow], index: Mapping[str, list[StoredObject]], damages: list[Damage]
    ) -> None:
        """Report the objects, their files, each under the newest snapshot that has it, and what snapshots lack."""
        # Who reads all of an object knows better than the check before.
        rows = () if self._request.read_data else chain.from_iterable(index.values())
        doubtful = {row.key for row in rows if row.is_damaged}
        given_up = self._session.catalog.devices.lost_ids()
        lost = lost_ranges(index, damages, self._present, doubtful, given_up=given_up)
        if lost and (made := self._made_by_parity({key: index[key] for key in lost}, damages)):
            lost = lost_ranges(index, damages, self._present, doubtful - made, made, given_up)
        self._tell_objects(newest_first, lost, damages)
        files = LostFiles(lost)
        for snapshot in newest_first:
            snapshot_id = snapshot.snapshot_id

            def tell(source: str, file: LostFile, snapshot_id: str = snapshot_id) -> None:
                path = f"{source}/{file.path}" if file.path else source
                of = {"path": path, "snapshot_id": snapshot_id, "device": file.damage.row.device}
                self._findings.detail(file.damage.code, f"in object {file.damage.row.object_id}", **of)

            count, size = files.of(self._trees[snapshot_id], tell)
            if count:
                self._lacking.append(
                    SnapshotLoss(snapshot_id=snapshot_id, volume=snapshot.volume, files=count, bytes=size)
                )

    def _made_by_parity(
        self, index: Mapping[str, list[StoredObject]], damages: Iterable[Damage]
    ) -> set[tuple[str, str]]:
        """The objects that are damaged or away, and that the rest of their groups can replace."""
        groups, damaged = GroupReads(self._session.catalog), {damage.row.key for damage in damages}
        rows = chain.from_iterable(index.values())
        bad = [row for row in rows if row.device_id not in self._present or row.is_damaged or row.key in damaged]
        made = {row.key for row in bad if groups.can_read(row, self._present)}
        if made:
            self._session.observer.note(f"{len(made)} objects are damaged or away, and can be rebuilt from parity")
        return made

    def _check_parity(self) -> int:
        """Returns how many bytes were read."""
        found = verify_parity(self._session, self._present, read_data=self._request.read_data)
        self._findings.tell_deaths(found.died)
        for message in found.damage:
            self._findings.tell("parity", message)
        return found.bytes_read

    def _tell_objects(
        self, newest_first: Iterable[SnapshotRow], lost: Mapping[str, list[LostRange]], damages: Iterable[Damage]
    ) -> None:
        """Each object that is damaged, and each that is away and that no other device has."""
        gone = {one.damage.row.key: one.damage for ranges in lost.values() for one in ranges}
        of_segment = {damage.row.segment_id: "" for damage in gone.values()}
        for snapshot in newest_first:
            for segment_id in of_segment.keys() & self._trees[snapshot.snapshot_id].parts_of_segments.keys():
                of_segment[segment_id] = of_segment[segment_id] or snapshot.snapshot_id
        told = {damage.row.key: damage for damage in damages} | gone
        for key, damage in told.items():
            row = damage.row
            where = f" on device {row.device}" if row.device else ""
            message = f"object {row.object_id}{where}: {damage.message}"
            # Of two copies that are both gone, one counts as lost.
            if row.segment_id not in lost:
                message += "; others have what it held, or its parity"
            of = {"snapshot_id": of_segment[row.segment_id]} if key in gone else {}
            self._findings.tell(damage.code, message, device=row.device, **of)

    def _record_volumes(self, snapshots: Iterable[SnapshotRow]) -> None:
        """Remember a check of everything for each volume that it covered."""
        catalog, request = self._session.catalog, self._request
        if request.snapshot is not None or request.is_partial or catalog.why_read_only:
            return
        damaged = Counter(loss.volume for loss in self._lacking)
        for volume, count in Counter(snapshot.volume for snapshot in snapshots).items():
            catalog.checks.record(
                VolumeCheck(
                    volume=volume,
                    read_data=request.read_data,
                    checked_at=self._started_at,
                    snapshots_count=count,
                    damaged_count=damaged[volume],
                )
            )
