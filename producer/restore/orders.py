"""The orders of a restore, for one device each."""

from __future__ import annotations

import uuid

from producer.catalog.tables.segments.rows import SegmentRow
from producer.requests import RestoreRequest
from producer.restore.plan import Pick
from producer.run.session import RunSession
from producer.run.threads import default_threads
from tasks.orders import RestoreEntries, RestoreSegment, TargetEntry


class RestoreOrders:
    def __init__(self, session: RunSession, request: RestoreRequest) -> None:
        self._session = session
        self._request = request

    def segment(
        self, row: SegmentRow, picks: list[Pick], device: str, device_id: str, *, devices_count: int
    ) -> RestoreSegment:
        """``devices_count`` devices restore at once, and share the processors."""
        _, paths, stream_offsets_bytes, offsets_bytes, sizes_bytes, metadata, sparse = zip(*picks, strict=True)
        return RestoreSegment(
            order_id=uuid.uuid4().hex,
            segment_id=row.segment_id,
            trailer_digest=row.proof,
            target=self._request.target_name,
            paths=paths,
            stream_offsets_bytes=stream_offsets_bytes,
            offsets_bytes=offsets_bytes,
            sizes_bytes=sizes_bytes,
            metadata=metadata,
            overwrite=self._request.overwrite or "always",
            threads=self._request.threads or default_threads(devices_count),
            unproved=self._request.skip_damaged,
            sparse=tuple(place for place, is_sparse in enumerate(sparse) if is_sparse),
            **self._session.order_fields(device, device_id=device_id),
        )

    def target(self, device: str, device_id: str, itself: TargetEntry | None) -> RestoreEntries:
        """Make the target, or refuse it because it must be empty; ``itself`` is its metadata, if it gets any."""
        entries = () if itself is None else (itself,)
        is_new = self._request.overwrite is None
        return self.entries(device, device_id, entries, must_be_empty=is_new, sweep=not is_new)

    def entries(
        self,
        device: str,
        device_id: str,
        entries: tuple[TargetEntry, ...],
        *,
        must_be_empty: bool = False,
        sweep: bool = False,
    ) -> RestoreEntries:
        return RestoreEntries(
            order_id=uuid.uuid4().hex,
            target=self._request.target_name,
            entries=entries,
            overwrite=self._request.overwrite or "always",
            must_be_empty=must_be_empty,
            sweep=sweep,
            **self._session.order_fields(device, device_id=device_id),
        )
