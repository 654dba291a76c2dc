"""Heals segments: what no device has any more, and unchanged files still hold, is stored again under its old address.

So no place changes, and all snapshots that share it are whole again.  What a file holds counts as a range of the
segment only if it has the digest that is recorded; otherwise the file has changed, and is stored like any changed file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from producer.backup.storing.state.state import BackupState
from producer.catalog.catalog import Catalog
from producer.catalog.sound import held
from producer.catalog.tables.segments.rows import NewHealing, NewSegment, SegmentRow
from producer.catalog.tree import places_in
from producer.listing.extents import SegmentContents
from producer.listing.healing import healing_contents, ranges_of
from producer.listing.places.stored_ranges import united
from producer.plan.pieces import equal_pieces
from producer.pool.storing.again import entries_changed, forget_damaged, stored_again
from producer.pool.storing.ids import segment_id
from producer.pool.storing.known_digests import KnownDigests
from tasks.digests import CELL_BYTES, NO_DIGEST
from tasks.orders import StoreSegment
from tasks.receipts import Receipt, StoreResult
from tasks.wire import encode

#: Of a file that is stored anew; as large as most segments are.
_PIECE_BYTES = 1024 * 1024 * 1024


class Healing:
    def __init__(self, catalog: Catalog, state: BackupState) -> None:
        self._catalog = catalog
        self._state = state
        self._known = KnownDigests(catalog)

    # ---- the plan

    def plan(self, lost: Iterable[str]) -> None:
        """Plan the segments ``lost``, which unchanged files of the snapshot need, to be stored again.

        Files without known digests are planned as changed files.
        """
        spans = self._spans(frozenset(lost))
        anew: set[int] = set()
        planned = defaultdict[str, list[tuple[int, int]]](list)
        for (segment, _), entries in spans.items():
            first, stop = min(entries), max(entries) + 1
            contents = self.contents(segment, first, stop, planned[segment])
            anew |= entries
            if contents is not None:
                anew -= set(contents.entries)
                planned[segment] += ranges_of(contents)
                self._plan_one(segment, first, stop, contents.extents.total_bytes)
        self._store_anew(anew)

    def _spans(self, lost: frozenset[str]) -> dict[tuple[str, str], set[int]]:
        """(segment, source) → the entries that need its lost ranges; an order reads from one source only."""
        found = defaultdict[tuple[str, str], set[int]](set)
        still = held(self._catalog, lost)
        for batch in self._catalog.listing.batches(self._state.snapshot_id) if lost else ():
            for _, at, place in places_in(batch, lost):
                if not still.has(place) and batch.first_entry + at not in self._state.stored_anew:
                    found[place.segment_id, batch.source].add(batch.first_entry + at)
        return found

    def _plan_one(self, segment: str, first_entry: int, stop_entry: int, size_bytes: int) -> None:
        number = self._catalog.segments.next_number(self._state.snapshot_id)
        row = NewHealing(
            number=number,
            segment_id=segment_id(self._state.snapshot_id, number, first_entry, stop_entry, 0),
            device=self._state.least_filled(),
            first_entry=first_entry,
            stop_entry=stop_entry,
            size_bytes=size_bytes,
            stored_as=segment,
        )
        self._state.assign_healing(row)

    def contents(
        self, segment: str, first_entry: int, stop_entry: int, planned: Iterable[tuple[int, int]] = ()
    ) -> SegmentContents | None:
        """What the files of these entries, which are of one source, still have of the segment; None for nothing.

        ``planned``: ranges of the segment that others heal.
        """
        ranges = united([*held(self._catalog, [segment]).partly.get(segment, ()), *planned])
        reader = self._catalog.listing.reader(self._state.snapshot_id)
        found = next(healing_contents(reader.batches(first_entry, stop_entry), segment, ranges), None)
        if found is None:
            return None
        digests = map(self._known.digest, found.former)
        rows = enumerate(zip(found.entries, digests, strict=True))
        unknown = {entry for _, (entry, digest) in rows if digest == NO_DIGEST} | self._state.stored_anew
        indexes = [index for index, entry in enumerate(found.entries) if entry not in unknown]
        return found.at(indexes) if indexes else None

    # ---- receipts

    def record(self, row: SegmentRow, order: StoreSegment, entries: Sequence[int], receipt: Receipt) -> None:
        """Record what was stored; files that have changed are planned again."""
        result: StoreResult = receipt.result
        stored = stored_again(self._catalog, order, receipt)
        is_new = self._catalog.transitions.record_healed(
            self._state.snapshot_id,
            row.number,
            device=receipt.device,
            epoch=receipt.epoch,
            timing=encode(result.timing),
            stored=stored,
        )
        if not is_new:
            return
        if stored is not None:
            forget_damaged(self._catalog, stored)
        changed = entries_changed(entries, receipt)
        self._state.healed(row, receipt, set(entries) - changed)
        self._store_anew(changed)

    def _store_anew(self, entries: set[int]) -> None:
        """Plan these files whole, as if they had changed."""
        reader = self._catalog.listing.reader(self._state.snapshot_id)
        for entry in sorted(entries - self._state.stored_anew):
            number = self._catalog.segments.next_number(self._state.snapshot_id)
            pieces = equal_pieces(0, reader.entry(entry).data_bytes, _PIECE_BYTES, CELL_BYTES)
            rows = [
                NewSegment(
                    number=number + place,
                    segment_id=segment_id(self._state.snapshot_id, number + place, entry, entry + 1, offset_bytes),
                    device=self._state.least_filled(),
                    first_entry=entry,
                    stop_entry=entry + 1,
                    offset_bytes=offset_bytes,
                    size_bytes=size_bytes,
                )
                for place, (offset_bytes, size_bytes) in enumerate(pieces)
            ]
            self._state.assign(rows)
        self._state.stored_anew |= entries
