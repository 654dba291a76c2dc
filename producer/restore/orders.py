"""The orders of a restore, for one device each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from producer.catalog.tables.objects import StoredObject
from producer.requests import RestoreRequest
from producer.restore.planning.picks import Metadata, Pick
from producer.run.session import RunSession
from producer.run.threads import default_threads
from tasks.groups import GroupAt
from tasks.orders import RestoreEntries, RestoreSegment, TargetEntry
from tasks.orders.target_looks import PreviewEntries
from tasks.sources.metadata import Attributes, OwnerNames, size_bytes_of

#: Entries in one order: 2,000 take a worker some 50 ms and 300 KB in the broker.
ENTRIES_COUNT = 2000

#: Extended attributes in one order, in base64: most have none, and one entry at most 1.4 MB.
MAX_ORDERED_ATTRIBUTES_BYTES = 2 * 1024 * 1024


class RestoreOrders:
    """``owner_names``: those of the snapshot; empty for owners by number."""

    def __init__(self, session: RunSession, request: RestoreRequest, owner_names: OwnerNames) -> None:
        self._session = session
        self._request = request
        self._owner_names = owner_names

    def segment(
        self,
        stored: StoredObject,
        picks: list[Pick],
        device: str,
        device_id: str,
        *,
        devices_count: int,
        compare: bool = False,
        group: GroupAt | None = None,
    ) -> RestoreSegment:
        """``devices_count`` devices restore at once, and share the processors.  ``group``: read the object from it."""
        columns = zip(*picks, strict=True)
        _, paths, stream_offsets_bytes, offsets_bytes, sizes_bytes, metadata, attributes, sparse = columns
        if any(attributes):
            metadata, attribute_sets = _with_places(metadata, attributes)
        else:
            attribute_sets = ()
        return RestoreSegment(
            order_id=uuid.uuid4().hex,
            object_id=stored.object_id,
            trailer_digest=stored.proof,
            target=self._request.target_name,
            paths=paths,
            stream_offsets_bytes=stream_offsets_bytes,
            offsets_bytes=offsets_bytes,
            sizes_bytes=sizes_bytes,
            metadata=metadata,
            overwrite=self._request.overwrite or "always",
            threads=self._request.threads or default_threads(devices_count),
            group=group,
            unproved=self._request.skip_damaged and group is None,
            reuse=self._request.overwrite is not None and not compare,
            compare=compare,
            sparse=tuple(place for place, is_sparse in enumerate(sparse) if is_sparse or self._request.sparse),
            attribute_sets=attribute_sets,
            owner_names=self._owner_names,
            **self._session.order_fields(device, device_id=device_id),
        )

    def target(self, device: str, device_id: str, itself: TargetEntry | None) -> RestoreEntries:
        """Make the target, or refuse it because it must be empty; ``itself`` is its metadata, if it gets any."""
        entries = () if itself is None else (itself,)
        is_new = self._request.overwrite is None
        return self.entries(device, device_id, entries, must_be_empty=is_new)

    def preview(
        self, device: str, device_id: str, entries: tuple[TargetEntry, ...], *, must_be_empty: bool
    ) -> PreviewEntries:
        return PreviewEntries(
            order_id=uuid.uuid4().hex,
            target=self._request.target_name,
            entries=entries,
            overwrite=self._request.overwrite or "always",
            must_be_empty=must_be_empty,
            owner_names=self._owner_names,
            **self._session.order_fields(device, device_id=device_id),
        )

    def entries(
        self,
        device: str,
        device_id: str,
        entries: tuple[TargetEntry, ...],
        *,
        must_be_empty: bool = False,
        sweep: bool = False,
        claim: bool = False,
    ) -> RestoreEntries:
        return RestoreEntries(
            order_id=uuid.uuid4().hex,
            target=self._request.target_name,
            entries=entries,
            overwrite=self._request.overwrite or "always",
            must_be_empty=must_be_empty,
            sweep=sweep,
            claim=claim,
            owner_names=self._owner_names,
            **self._session.order_fields(device, device_id=device_id),
        )


def _with_places(
    metadata: Sequence[Metadata], attributes: Sequence[Attributes]
) -> tuple[tuple[Metadata, ...], tuple[Attributes, ...]]:
    """The rows of metadata, those with attributes with the place of theirs; and the sets of attributes, each once."""
    places: dict[frozenset[tuple[str, str]], int] = {}
    sets: list[Attributes] = []
    rows: list[Metadata] = []
    for row, values in zip(metadata, attributes, strict=True):
        if not (row and values):
            rows.append(row)
            continue
        place = places.setdefault(frozenset(values.items()), len(sets))
        if place == len(sets):
            sets.append(values)
        rows.append((*row, place))
    return tuple(rows), tuple(sets)


def in_bounds(picks: Sequence[Pick]) -> Iterator[list[Pick]]:
    """The picks of a segment, in groups whose attributes fit into one order each."""
    chunk: list[Pick] = []
    size_bytes = 0
    known: set[frozenset[tuple[str, str]]] = set()
    for pick in picks:
        key = frozenset(pick.attributes.items())
        more_bytes = 0 if not key or key in known else size_bytes_of(pick.attributes)
        if chunk and size_bytes + more_bytes > MAX_ORDERED_ATTRIBUTES_BYTES:
            yield chunk
            chunk, size_bytes, known = [], 0, set()
            more_bytes = size_bytes_of(pick.attributes)
        chunk.append(pick)
        size_bytes += more_bytes
        known.add(key)
    yield chunk


def surplus_entry(path: str) -> TargetEntry:
    """The entry that makes a worker remove what is at a path of the target."""
    return TargetEntry(kind="surplus", path=path, mode=0, uid=0, gid=0, mtime_ns=0)


def batches(entries: Iterator[TargetEntry]) -> Iterator[tuple[TargetEntry, ...]]:
    """The entries in batches that fit into one order each."""
    batch: list[TargetEntry] = []
    size_bytes = 0
    for entry in entries:
        more_bytes = size_bytes_of(entry.attributes) if entry.attributes else 0
        if batch and (len(batch) == ENTRIES_COUNT or size_bytes + more_bytes > MAX_ORDERED_ATTRIBUTES_BYTES):
            yield tuple(batch)
            batch, size_bytes = [], 0
        batch.append(entry)
        size_bytes += more_bytes
    if batch:
        yield tuple(batch)
