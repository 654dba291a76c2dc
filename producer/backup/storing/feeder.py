"""Feeds planned segments to the devices: a bounded window each, from the catalog, in the plan's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from producer.backup.storing.healing import Healing
from producer.backup.storing.ids import object_id
from producer.backup.storing.known_digests import KnownDigests
from producer.backup.storing.state.in_flight import InFlight
from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.extents import SegmentContents, extents_of
from producer.listing.places import Place
from producer.listing.reader import ListingReader
from producer.pool.members import Member
from producer.raw.raw_volumes import RawVolume, reading_of
from producer.run.session import RunSession
from tasks.errors import BrokerError
from tasks.orders import StoreSegment
from tasks.states import pack_states
from tasks.values import SourcePlace
from tasks.views import View

#: What is fed cannot easily move to a faster device: two orders, and three seconds of work, keep a device busy.
_MIN_ORDERS_COUNT = 2
_AHEAD_S = 3.0

#: Assumed until a device's speed is known, a second after it has begun.
_FIRST_BYTES_PER_S = 30_000_000


class Feeder:
    """Turns rows of the catalog into orders and keeps every live device's window full."""

    def __init__(
        self,
        session: RunSession,
        state: BackupState,
        snapshot: SnapshotRow,
        listing: ListingReader,
        *,
        threads: int,
        readers: int | None = None,
        raw_volumes: Mapping[str, RawVolume],
        places: Mapping[str, SourcePlace] | None = None,
        views: Mapping[str, View] | None = None,
        spooled: Callable[[int], str] | None = None,
    ) -> None:
        """``places``: where those sources lie that workers do not know by name; ``views``: how the walk saw all.

        ``spooled``: see :class:`producer.backup.intake.Intake`.
        """
        self._session = session
        self._snapshot = snapshot
        self._state = state
        self._listing = listing
        self._threads = threads
        self._readers = readers
        self._raw_volumes = raw_volumes
        self._places = places or {}
        self._views = views or {}
        self._spooled = spooled
        self._known = KnownDigests(session.catalog)
        self._healing = Healing(session.catalog, state)

    def fill(self) -> None:
        """Feed every live device up to its window."""
        for member in self._state.live:
            room = self._session.courier.room(member.name)
            # Half a window at a time: one transaction and one batch of messages for many segments.
            if room * 2 >= self._session.courier.window_count:
                self._feed(member, room)

    def _feed(self, member: Member, room: int) -> None:
        catalog, courier = self._session.catalog, self._session.courier
        orders = courier.in_flight(member.name)
        ahead_bytes = _AHEAD_S * (courier.liveness.speed_bytes_per_s(member.name) or _FIRST_BYTES_PER_S)
        ahead_bytes -= sum(order.extents.total_bytes for order in orders if isinstance(order, StoreSegment))
        if len(orders) >= _MIN_ORDERS_COUNT and ahead_bytes <= 0:
            return
        planned = catalog.segments.take_planned(self._snapshot.snapshot_id, member.name, room)
        self._send(member, _within_reach(planned, _MIN_ORDERS_COUNT - len(orders), ahead_bytes))

    def _send(self, member: Member, rows: list[SegmentRow]) -> None:
        if not rows:
            return
        orders, given = [], []
        for row in rows:
            contents = self._contents(row)
            orders.append(self._order(row, contents, member))
            given.append(InFlight(row=row, entries=contents.entries))
        self._state.give(member, given)
        try:
            self._session.courier.send(orders)
        except BrokerError as error:
            self._session.observer.note(f"{error}; the run continues when it is back")

    def _contents(self, row: SegmentRow) -> SegmentContents:
        if row.heals:
            found = self._healing.contents(row.segment_id, row.first_entry, row.stop_entry)
            assert found is not None
            return found
        return extents_of(
            self._listing.batches(row.first_entry, row.stop_entry),
            first_entry=row.first_entry,
            stop_entry=row.stop_entry,
            offset_bytes=row.offset_bytes,
            size_bytes=row.size_bytes,
            bundle_limit_bytes=self._snapshot.bundle_limit_bytes,
        )

    def _order(self, row: SegmentRow, contents: SegmentContents, member: Member) -> StoreSegment:
        raw = reading_of(self._raw_volumes, contents.source, row.offset_bytes, row.size_bytes)
        return StoreSegment(
            run_id=self._session.run_id,
            order_id=row.segment_id,
            device=member.name,
            device_id=member.device_id,
            epoch=member.epoch,
            attempt=row.attempt,
            reply_to=self._session.reply_to,
            segment_id=row.segment_id,
            object_id=object_id(row.snapshot_id, row.segment_id, member, row.attempt),
            snapshot_id=self._snapshot.snapshot_id,
            volume=self._snapshot.volume,
            number=row.number,
            catalog_id=self._session.catalog.generations.catalog_id,
            source=contents.source,
            extents=contents.extents,
            threshold_bytes=self._snapshot.threshold_bytes,
            unit_bytes=self._snapshot.unit_bytes,
            block_bytes=self._snapshot.block_bytes,
            level=self._snapshot.level,
            threads=self._threads,
            readers=self._readers,
            raw=raw,
            within=self._place(contents.source, row.number),
            states="" if raw is not None or self._spooled else pack_states(contents.states),
            known_digests=self._known.of(contents.former),
            stream_offsets_bytes=tuple(map(_stream_offset, contents.former)) if row.heals else (),
            is_piece=len(set(contents.extents.paths)) == 1 if row.heals else row.stop_entry - row.first_entry == 1,
            sparse=tuple(contents.sparse),
            view=self._views.get(contents.source, ""),
            spooled=self._spooled is not None,
        )

    def _place(self, source: str, number: int) -> SourcePlace | None:
        if self._spooled is None:
            return self._places.get(source)
        return SourcePlace(source=source, path=self._spooled(number))


def _stream_offset(place: Place | None) -> int:
    assert place is not None
    return place.stream_offset_bytes


def _within_reach(rows: list[SegmentRow], least_count: int, ahead_bytes: float) -> list[SegmentRow]:
    """The first rows: ``least_count`` of them, and more as long as they begin within ``ahead_bytes``."""
    taken: list[SegmentRow] = []
    for row in rows:
        if ahead_bytes <= 0 and len(taken) >= least_count:
            break
        ahead_bytes -= row.size_bytes
        taken.append(row)
    return taken
