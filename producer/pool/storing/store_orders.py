"""Makes the orders that have segments stored: from a row of the catalog and the files that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.extents import SegmentContents, extents_of
from producer.listing.places.places import Place
from producer.listing.reader import Batches
from producer.pool.members import Member
from producer.pool.storing.ids import object_id
from producer.pool.storing.known_digests import KnownDigests
from producer.raw.raw_volumes import RawVolume, reading_of
from producer.run.session import RunSession
from tasks.orders import StoreSegment
from tasks.sources.states import pack_states
from tasks.sources.views import View
from tasks.values import SourcePlace


class StoreOrders:
    """Used from the run's thread only."""

    def __init__(
        self,
        session: RunSession,
        snapshot: SnapshotRow,
        listing: Batches,
        *,
        threads: int,
        readers: int | None = None,
        raw_volumes: Mapping[str, RawVolume],
        places: Mapping[str, SourcePlace] | None = None,
        views: Mapping[str, View] | None = None,
        spooled: Callable[[int], str] | None = None,
    ) -> None:
        """``listing``: batches of which nothing is stored may be missing.

        ``places``: where those sources lie that workers do not know by name; ``views``: how the walk saw all.

        ``spooled``: see :class:`producer.backup.intake.intake.Intake`.
        """
        self._session = session
        self._snapshot = snapshot
        self._listing = listing
        self._threads = threads
        self._readers = readers
        self._raw_volumes = raw_volumes
        self._places = places or {}
        self._views = views or {}
        self._spooled = spooled
        self._known = KnownDigests(session.catalog)

    def is_of_files(self, source: str) -> bool:
        """Whether workers can read ``source`` once more, file by file: it is no raw volume, and no stream."""
        return source not in self._raw_volumes and self._spooled is None

    def contents(self, row: SegmentRow) -> SegmentContents:
        """What the segment of a row, which heals nothing, consists of."""
        return extents_of(
            self._listing.batches(row.first_entry, row.stop_entry),
            first_entry=row.first_entry,
            stop_entry=row.stop_entry,
            offset_bytes=row.offset_bytes,
            size_bytes=row.size_bytes,
            bundle_limit_bytes=self._snapshot.bundle_limit_bytes,
        )

    def order(self, row: SegmentRow, contents: SegmentContents, member: Member) -> StoreSegment:
        """The order for the next try of the row, on ``member``."""
        raw = reading_of(self._raw_volumes, contents.source, row.offset_bytes, row.size_bytes)
        return StoreSegment(
            run_id=self._session.run_id,
            order_id=row.row_id,
            device=member.name,
            device_id=member.device_id,
            epoch=member.epoch,
            attempt=row.attempt,
            reply_to=self._session.reply_to,
            segment_id=row.segment_id,
            object_id=object_id(row.snapshot_id, row.row_id, member, row.attempt),
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
