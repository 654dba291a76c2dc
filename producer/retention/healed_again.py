"""What no device has any more, and no parity gives, stored again from the sources, as a backup heals it.

Only what the newest snapshots need is looked for there: what is in none of them has changed or is gone.  The digest of
each extent proves that it is the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.host.scouting.looks import SilentError, look_at_each
from producer.listing.extents import SegmentContents
from producer.listing.healing import healing_contents
from producer.observer import Progress
from producer.pool.members import Member
from producer.pool.storing.again import entries_changed, forget_damaged, order_again, provable, stored_again
from producer.pool.storing.known_digests import KnownDigests
from producer.pool.storing.sources import SourcesToRead
from producer.pool.storing.store_orders import StoreOrders
from producer.requests import Source
from producer.retention.heir_copies import Heir, with_heir
from producer.retention.lost_segments import Lost, lost_segments
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.meeting import Meeting
from producer.retention.pruning.members import target_of
from producer.run.session import RunSession
from producer.run.threads import default_threads
from producer.run.wave import run_wave
from tasks.orders import Order, StoreSegment
from tasks.receipts import Receipt


class Healed(Struct, kw_only=True):
    """``files``: (snapshot, entry) of each file that was read for it; ``failures``: why not all was stored."""

    files: set[tuple[str, int]] = field(default_factory=set)
    bytes_count: int = 0
    failures: dict[str, None] = field(default_factory=dict)


def heal(session: RunSession, meeting: Meeting, sources: SourcesToRead, made: list[StoredObject]) -> Healed:
    """Store what the newest snapshots lack again, from their sources; ``made`` grows with each object.

    The catalog has each then.  A file that has changed or cannot be read is left out, and nothing is said of it.
    Raises InterruptedRun.
    """
    healed = Healed()
    for snapshot_id, lost in lost_segments(session.catalog, sources).items():
        snapshot = session.catalog.snapshots.get(snapshot_id)
        devices = [device for device in meeting.taking if device.row.pool_id == snapshot.pool_id]
        readable = _readable(session, sources.sources[snapshot_id], healed)
        if readable and devices:
            of_snapshot = _OfSnapshot(session, snapshot, readable, lost, healed)
            healed.failures |= with_heir(session, meeting, devices, made, of_snapshot.store)
    return healed


def _readable(session: RunSession, sources: Mapping[str, Source], healed: Healed) -> dict[str, Source]:
    """Those that this host sees, or agents may."""
    if any(map(session.fleet.is_shared, session.paths)):
        return dict(sources)
    paths = {name: source.path for name, source in sources.items()}
    seen = look_at_each(paths, Path.exists, on_wait=session.interrupt.check)
    for name, found in seen.items():
        if isinstance(found, SilentError):
            healed.failures[found.message] = None
        elif not found:
            healed.failures[f"source {paths[name]} is not there"] = None
    return {name: source for name, source in sources.items() if seen[name] is True}


class _OfSnapshot:
    """What one snapshot lacks, from its sources."""

    def __init__(
        self,
        session: RunSession,
        snapshot: SnapshotRow,
        sources: Mapping[str, Source],
        lost: Mapping[str, Lost],
        healed: Healed,
    ) -> None:
        self._session = session
        self._snapshot = snapshot
        self._sources = sources
        self._lost = lost
        self._healed = healed
        self._tree = session.catalog.trees.of(snapshot.snapshot_id)
        self._known = KnownDigests(session.catalog)
        self._bytes_total = self._bytes_done = 0

    def store(self, heir: Heir) -> dict[str, None]:
        """Returns why something was not stored.  Raises InterruptedRun."""
        asked: dict[str, tuple[StoreSegment, Sequence[int]]] = {}
        failures: dict[str, None] = {}
        store_orders = self._store_orders(heir)

        def orders(member: Member, segment_ids: Sequence[str]) -> Iterator[Order]:
            for segment_id in segment_ids:
                for contents in self._contents(segment_id):
                    order = order_again(store_orders, heir.snapshot_id, segment_id, contents, member, "healing")
                    asked[order.order_id] = order, contents.entries
                    yield order

        def take(order: Order, receipt: Receipt) -> None:
            if receipt.failure is not None:
                failures[receipt.failure.message] = None
            else:
                self._take(heir, *asked.pop(order.order_id), receipt)

        by_target = self._placed(heir.devices, failures)
        waves = {name: orders(heir.members[name], segment_ids) for name, segment_ids in by_target.items()}
        died = run_wave(self._session, waves, take)
        return failures | {f"device {name}: {why}": None for name, why in died.items()}

    def _store_orders(self, heir: Heir) -> StoreOrders:
        return StoreOrders(
            self._session,
            replace(self._snapshot, snapshot_id=heir.snapshot_id),
            self._tree.reader,
            threads=default_threads(len(heir.members)),
            raw_volumes={},
            places={name: source.within for name, source in self._sources.items() if source.within is not None},
        )

    def _placed(self, devices: Sequence[PrunedDevice], failures: dict[str, None]) -> dict[str, list[str]]:
        """Device → the segments that it takes: the largest first, each on the least-filled one that has room."""
        targets, found = [target_of(device) for device in devices], defaultdict[str, list[str]](list)
        for segment_id, lost in sorted(self._lost.items(), key=lambda item: (-item[1].stored_bytes, item[0])):
            fitting = [one for one in targets if one.room_bytes >= lost.stored_bytes]
            if not fitting:
                failures["the devices have no room for what the sources still have"] = None
                continue
            target = min(fitting, key=lambda one: (one.load_bytes, one.name))
            target.load_bytes += lost.stored_bytes
            target.room_bytes -= lost.stored_bytes
            self._bytes_total += lost.stored_bytes
            found[target.name].append(segment_id)
        return found

    def _contents(self, segment_id: str) -> Iterator[SegmentContents]:
        """What the sources may still have of the segment."""
        numbers = self._tree.parts_of_segments[segment_id]
        batches = (batch for number in numbers for batch in self._tree.decoded(self._tree.parts[number]))
        of_sources = (batch for batch in batches if batch.source in self._sources)
        for contents in healing_contents(of_sources, segment_id, self._lost[segment_id].held):
            if indexes := provable(self._known, contents):
                yield contents.at(indexes)

    def _take(self, heir: Heir, order: StoreSegment, entries: Sequence[int], receipt: Receipt) -> None:
        stored = stored_again(self._session.catalog, order, receipt)
        if stored is None:
            return
        self._session.catalog.objects.add(stored)
        forget_damaged(self._session.catalog, stored)
        heir.made.append(stored)
        same = set(entries) - entries_changed(entries, receipt)
        self._healed.files |= {(self._snapshot.snapshot_id, entry) for entry in same}
        self._healed.bytes_count += stored.size_bytes
        self._bytes_done = min(self._bytes_total, self._bytes_done + stored.bytes_stored)
        self._session.observer.progress(
            Progress(phase="storing", bytes_total=self._bytes_total, bytes_done=self._bytes_done)
        )
