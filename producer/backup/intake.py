"""The intake of a backup: the walk and asking the devices what they are, at the same time.

The workers take most of a second to boot; the walk uses it.  A device that cannot take part ends the run as soon as
its worker has said so, however long the walk would still have lasted.
"""

from __future__ import annotations

import platform
import uuid
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from producer.backup.resume import Kept, carry_over, find_resumable
from producer.catalog.tables.snapshots.rows import NewSnapshot, SnapshotRow, SourceRow
from producer.catalog.tables.troubles import TroubleRow
from producer.listing import ListingPart
from producer.observer import Progress, Trouble
from producer.ownership.holder import NEW_DEVICES
from producer.pool.decide import PoolDecision, decide_pool, new_names
from producer.pool.device_reports import DeviceReports, adopt_devices
from producer.pool.members import Member, known_devices, record_absent, record_members
from producer.raw.raw_volumes import RawVolume, look_at_raw_volumes
from producer.raw.switch import explain
from producer.requests import BackupRequest
from producer.run.session import RunSession
from producer.walk import Walk, limit_of_environment
from tasks.errors import NotADeviceError

#: Taking devices in takes a second or two; a device that hangs over it is given up sooner than this.
_ADOPTION_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Intake:
    """What the walk found, and the devices that take part.  The listing is in the catalog."""

    snapshot_id: str
    members: Mapping[str, Member]
    #: Devices of the pool that are not there → why.
    absent: Mapping[str, str]
    #: By entry index; see :class:`producer.walk.Walk`.
    sizes: array[int]
    holes_bytes: Mapping[int, int]
    source_starts: list[int]
    files_count: int
    bytes_total: int
    #: What stays of the plan of an interrupted run; None: the snapshot is new.
    kept: Kept | None
    #: The sources that are read raw, by name.
    raw_volumes: Mapping[str, RawVolume]


def take_in(session: RunSession, request: BackupRequest) -> Intake:
    """Walk the sources into a new snapshot of the catalog; new devices get their markers on the way.

    Raises UsageError, NotADeviceError, DeviceError, InterruptedRun.
    """
    return _IntakeRun(session, request).run()


class _IntakeRun:
    def __init__(self, session: RunSession, request: BackupRequest) -> None:
        self._session = session
        self._request = request
        self._resumed = find_resumable(session.catalog, request)
        self._snapshot_id = self._resumed.snapshot_id if self._resumed is not None else uuid.uuid4().hex
        self._started_at = datetime.now(UTC)
        self._asked = self._ask_devices()
        self._parts: list[ListingPart] = []
        self._troubles: list[Trouble] = []
        self._decision: PoolDecision | None = None
        self._members: Mapping[str, Member] = {}

    def run(self) -> Intake:
        walk = Walk(
            self._request.sources,
            self._request.exclusions,
            on_trouble=self._note_trouble,
            on_progress=self._on_directory,
            limit_s=limit_of_environment(),
        )
        for part in walk.parts():
            self._parts.append(part)
            self._collect()
        self._asked.wait()
        self._collect()
        assert self._decision is not None
        kept = self._carry_over(self._resumed) if self._resumed is not None else None
        self._record_troubles()
        has_agents = any(map(self._session.fleet.is_shared, self._session.paths))
        raw_volumes, notes = look_at_raw_volumes(self._request, walk.source_starts, walk.sizes, for_agents=has_agents)
        for note in [*notes, *explain(self._request, walk.files_counts, has_agents=has_agents)]:
            self._session.observer.note(note)
        return Intake(
            snapshot_id=self._snapshot_id,
            members=self._members,
            absent=self._decision.absent,
            sizes=walk.sizes,
            holes_bytes=walk.holes_bytes,
            source_starts=walk.source_starts,
            files_count=walk.files_count,
            bytes_total=walk.bytes_total,
            kept=kept,
            raw_volumes=raw_volumes,
        )

    def _ask_devices(self) -> DeviceReports:
        """Without a device that is known, and whose worker fails, the others go on; a new one must answer."""
        return DeviceReports(self._session, may_lose=known_devices(self._session.catalog, self._session.paths))

    def _carry_over(self, resumed: SnapshotRow) -> Kept:
        return carry_over(self._session.catalog, resumed, self._parts, self._members)

    def _on_directory(self, files_count: int, bytes_total: int) -> None:
        self._session.interrupt.check()
        self._session.observer.progress(Progress(phase="walking", files_count=files_count, bytes_total=bytes_total))

    def _note_trouble(self, trouble: Trouble) -> None:
        self._troubles.append(trouble)
        self._session.observer.trouble(trouble)

    def _collect(self) -> None:
        """Once all devices have answered, settle the pool; from then on parts go into the catalog at once."""
        if not self._asked.collect(0.001):
            return
        if self._decision is None:
            self._decision = self._settle_pool()
            self._begin_or_go_on(self._decision.pool_id)
        if self._resumed is not None:
            # Compared with the old listing when the walk is over.
            return
        with self._session.catalog.transaction():
            for part in self._parts:
                self._session.catalog.listing.add_part(self._snapshot_id, **asdict(part))
        self._parts.clear()

    def _settle_pool(self) -> PoolDecision:
        decision = self._decide()
        if not decision.adopt:
            return self._take(decision)
        with self._alone_with_new_devices(decision):
            # Another run may have taken them in since they were asked.
            self._asked = self._ask_devices()
            self._asked.wait()
            return self._take(self._decide())

    @contextmanager
    def _alone_with_new_devices(self, decision: PoolDecision) -> Iterator[None]:
        session = self._session
        if session.holder is None:
            yield
            return
        with session.holder.holding(
            NEW_DEVICES,
            purpose=f"first use of {', '.join(sorted(decision.adopt))} by {self._request.volume}",
            patience_s=_ADOPTION_S,
            on_wait=session.interrupt.check,
        ):
            yield

    def _decide(self) -> PoolDecision:
        session = self._session
        known = known_devices(session.catalog, session.paths)
        decision = decide_pool(self._asked.reports, session.paths, known, self._asked.hosts)
        self._refuse_another_pool(decision)
        return decision

    def _refuse_another_pool(self, decision: PoolDecision) -> None:
        """Who names a snapshot wants that one, and no new one on other devices."""
        resumed = self._resumed if self._request.resume is not None else None
        if resumed is not None and resumed.pool_id != decision.pool_id:
            raise NotADeviceError(
                f"snapshot {resumed.snapshot_id[:8]} is not in the pool of {', '.join(sorted(self._session.paths))}",
                hint="name devices of its backup: --device NAME=PATH",
            )

    def _take(self, decision: PoolDecision) -> PoolDecision:
        session = self._session
        self._tell_what_is_different(decision)
        for name, why in decision.absent.items():
            session.observer.trouble(Trouble(code="device-absent", message=f"device {name} is absent: {why}"))
        record_absent(session.catalog, decision, session.paths)
        reports = self._asked.reports | adopt_devices(session, decision)
        self._members = record_members(session.catalog, decision, reports, session.paths, session.link.published_epoch)
        return decision

    def _tell_what_is_different(self, decision: PoolDecision) -> None:
        catalog, note = self._session.catalog, self._session.observer.note
        recorded = {row.device_id: row.name for row in catalog.devices.all(decision.pool_id)}
        for old, new in new_names(decision.ready, recorded).items():
            note(f"device {old} is called {new} from now on")
        for name in sorted(decision.adopt.keys() & known_devices(catalog, self._session.paths).keys()):
            note(f"device {name} has been emptied and begins anew: what earlier snapshots had on it is lost")

    def _begin_or_go_on(self, pool_id: str) -> None:
        if self._resumed is not None and self._resumed.pool_id == pool_id:
            begun = f"{self._resumed.started_at:%Y-%m-%dT%H:%M:%SZ}"
            self._session.observer.note(f"going on with snapshot {self._snapshot_id[:8]}, begun {begun}")
            return
        if self._resumed is not None:
            self._session.observer.note(
                f"snapshot {self._snapshot_id[:8]}, which was interrupted, is in another pool; a new one begins"
            )
            self._resumed, self._snapshot_id = None, uuid.uuid4().hex
        self._begin_snapshot(pool_id)

    def _begin_snapshot(self, pool_id: str) -> None:
        request = self._request
        self._session.catalog.snapshots.begin(
            NewSnapshot(
                snapshot_id=self._snapshot_id,
                pool_id=pool_id,
                volume=request.volume,
                mode=request.read_mode,
                hostname=platform.node(),
                tags=request.tags,
                sources=tuple(
                    SourceRow(name=source.name, path=str(source.path), mode=source.mode) for source in request.sources
                ),
                request=request.to_json(),
                started_at=self._started_at,
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
