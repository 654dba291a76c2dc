"""The state of a running backup: its devices, what each has to store, what is on its way, what is tried again.

The feeder, the recorder, the losses and the balancing share this object instead of one another.  Nothing else
assigns segments to devices, so a device's load is always the sum of the segments that the catalog assigns to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from producer.backup.storing.state.in_flight import InFlight, NextTry
from producer.backup.storing.state.share import Share
from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.segments.rows import NewHealing, NewSegment, SegmentRow
from producer.catalog.tables.segments.totals import DONE, DoneBytes, DoneTry
from producer.listing.places.stored_cells import index_ranges, pack_layout
from producer.pool.members import Member
from tasks.orders import StoreSegment
from tasks.receipts import Receipt, StoreResult
from tasks.wire import encode

#: States of segments that their device has still to store.
UNFINISHED = ("planned", "fed", "failed")


class BackupState:
    """Used from the run's thread only.  What must outlive the run is in the catalog as well."""

    def __init__(
        self,
        catalog: Catalog,
        snapshot_id: str,
        members: Mapping[str, Member],
        borrowed: Sequence[StoredObject] = (),
    ) -> None:
        """``borrowed``: the objects with the segments of earlier snapshots that unchanged files lie in."""
        self.snapshot_id = snapshot_id
        self.members = members
        self.borrowed = borrowed
        #: Segments that failed for good: number → the last failure.
        self.given_up: dict[int, str] = {}
        #: Segment number → its next try.
        self.waiting: dict[int, NextTry] = {}
        #: Segments that are stored again because their device is gone: number → the row as it was.
        self.displaced: dict[int, SegmentRow] = {}
        #: Those that stay where they are: nothing could store them again.
        self.kept: set[int] = set()
        #: Objects that their device had no more when it was asked last, and the segments that lack something with them.
        self.missing_objects: set[tuple[str, str]] = set()
        self.missing: set[str] = set()
        #: What was copied to each device: name → stored bytes; and how many copies are still to be made.
        self.copied_bytes: Counter[str] = Counter()
        self.copies_made_count = self.copies_missing_count = 0
        #: Rows of parity that were written, and objects that have less than they should.
        self.parity_made_count = self.parity_missing_count = self.parity_bytes = 0
        #: Entries of which all is stored, though the walk has found them unchanged: what was to be healed is not there.
        self.stored_anew: set[int] = set()
        #: Those that healed something, and how many bytes.
        self.healed_entries: set[int] = set()
        self.healed_bytes = 0
        #: Devices from which segments have been displaced.
        self.lost_holders: set[str] = set()
        #: What runs that were interrupted had stored of the snapshot when this one began.
        self.by_earlier_runs: Mapping[DoneTry, DoneBytes] = {}
        self._catalog = catalog
        self._shares: dict[str, Share] = defaultdict(Share)
        self._in_flight: dict[str, InFlight] = {}

    def load(self) -> None:
        """Take each device's share from the catalog: when the plan is made, before anything is given."""
        self._shares.clear()
        done_count = 0
        for total in self._catalog.totals.by_state(self.snapshot_id):
            if total.state == "superseded":
                continue
            share = self._shares[total.device]
            share.load_bytes += total.bytes_source
            share.load_count += total.segments_count
            if total.state in DONE:
                share.stored_bytes += total.bytes_source
                share.stored_count += total.segments_count
                done_count += total.segments_count
        self.by_earlier_runs = self._catalog.totals.done(self.snapshot_id) if done_count else {}

    # ---- what is known

    @property
    def live(self) -> list[Member]:
        return [member for member in self.members.values() if member.is_live]

    @property
    def dead(self) -> list[Member]:
        """The last one that died first."""
        found = [member for member in self.members.values() if member.state == "dead"]
        return sorted(found, key=lambda member: -member.lost_at_s)

    @property
    def borrowed_ids(self) -> list[str]:
        """The segments of earlier snapshots that unchanged files lie in."""
        return [*dict.fromkeys(one.segment_id for one in self.borrowed)]

    def least_filled(self) -> str:
        """The live device with the least to store."""
        return min((member.name for member in self.live), key=lambda name: (self.load_bytes(name), name))

    def share(self, device: str) -> Share:
        return self._shares[device]

    def load_bytes(self, device: str) -> int:
        return self._shares[device].load_bytes

    def unfinished(self, device: str) -> list[SegmentRow]:
        """The segments assigned to the device that it has not stored, in plan order."""
        return self._catalog.segments.unfinished(self.snapshot_id, device)

    def holders(self) -> list[Member]:
        """The devices of the run that hold something that this snapshot needs, or are still to store it."""
        ids = {*self._catalog.segments.device_ids(self.snapshot_id), *(row.device_id for row in self.borrowed)}
        return [one for one in self.members.values() if one.device_id in ids or self.unfinished(one.name)]

    def left_over(self) -> list[SegmentRow]:
        """The segments that wait for a dead device, because no other has room for them; in plan order."""
        rows = [row for member in self.dead for row in self.unfinished(member.name)]
        return sorted(rows, key=lambda row: row.number)

    # ---- what changes

    def assign(self, rows: Sequence[NewSegment]) -> None:
        """Record more planned segments."""
        self._catalog.segments.add(self.snapshot_id, rows)
        for row in rows:
            self._shares[row.device].add_load(row.size_bytes)

    def assign_healing(self, row: NewHealing) -> None:
        """Record a segment of earlier snapshots that is to be stored again."""
        self._catalog.segments.add_healing(self.snapshot_id, [row])
        self._shares[row.device].add_load(row.size_bytes)

    def healed(self, row: SegmentRow, receipt: Receipt, entries: set[int]) -> None:
        """A device holds again what these entries have of an earlier segment."""
        result: StoreResult = receipt.result
        self.members[receipt.device].free_bytes = result.free_bytes
        share = self._shares[receipt.device]
        share.recorded_bytes += row.size_bytes
        share.add_stored(row.size_bytes)
        self.healed_entries |= entries
        self.healed_bytes += result.bytes_source

    def refresh_borrowed(self) -> None:
        """Look again which objects hold the segments that the snapshot needs of others."""
        index = self._catalog.objects.of({one.segment_id for one in self.borrowed})
        self.borrowed = [one for objects in index.values() for one in objects]

    def supersede(self, rows: Sequence[SegmentRow]) -> None:
        """Other segments take the place of these, which are stored."""
        self._catalog.transitions.supersede(self.snapshot_id, [row.number for row in rows])
        for row in rows:
            self._shares[row.device].remove_stored(row.size_bytes)

    def give(self, member: Member, segments: Sequence[InFlight]) -> None:
        """The segments are on their way to their device.  Call before they are sent.

        A crash in between leaves segments that the next start feeds again, and loses none.
        """
        self._catalog.transitions.mark_fed(
            self.snapshot_id, [one.row.number for one in segments], member.name, member.epoch
        )
        self._in_flight |= {one.row.row_id: one for one in segments}

    def take(self, order_id: str) -> InFlight | None:
        """The segment is on its way no more: a receipt has come, or its order has been withdrawn."""
        return self._in_flight.pop(order_id, None)

    def stored(self, row: SegmentRow, order: StoreSegment, receipt: Receipt) -> bool:
        """A device holds the segment as the order's object, but for its unchanged extents.

        False: it was stored before, and nothing has changed.
        """
        result: StoreResult = receipt.result
        extents = order.extents
        unchanged = frozenset(result.unchanged)
        held = [place for place in range(len(extents)) if place not in unchanged]
        is_new = self._catalog.transitions.record_stored(
            self.snapshot_id,
            row.number,
            device=receipt.device,
            device_id=receipt.device_id,
            epoch=receipt.epoch,
            bytes_stored=result.bytes_stored,
            object_id=order.object_id,
            trailer_digest=bytes.fromhex(result.trailer_digest) or None,
            notes=encode(result.notes),
            file_state=encode(result.file_state),
            timing=encode(result.timing),
            extent_digests=result.extent_digests,
            cell_digests=result.cell_digests or None,
            layout=pack_layout(extents.at(held)) if held else None,
            unchanged=index_ranges(result.unchanged),
            unchanged_bytes=sum(extents.sizes_bytes[place] for place in unchanged),
        )
        self.members[receipt.device].free_bytes = result.free_bytes
        if is_new:
            share = self._shares[receipt.device]
            share.recorded_bytes += row.size_bytes
            share.add_stored(row.size_bytes)
        return is_new

    def move(self, device: str, targets: Mapping[int, str], *, sent: Iterable[str] = ()) -> None:
        """Plan segments of ``device`` again: number → the device that is to store it, which may be the same.

        Only what is still assigned to ``device`` and not stored moves.  ``sent``: the ids of those whose order is in
        the new device's queue already.
        """
        sent = frozenset(sent)
        with self._catalog.transaction():
            rows = [
                row
                for row in self._catalog.segments.by_number(self.snapshot_id, list(targets))
                if row.device == device and row.state in UNFINISHED
            ]
            for target in sorted({targets[row.number] for row in rows}):
                to_target = [row for row in rows if targets[row.number] == target]
                self._catalog.transitions.replan(self.snapshot_id, [row.number for row in to_target], target)
                in_queue = [row.number for row in to_target if row.row_id in sent]
                self._catalog.transitions.mark_fed(self.snapshot_id, in_queue, target, self.members[target].epoch)
        for row in rows:
            self._shares[device].remove_load(row.size_bytes)
            self._shares[targets[row.number]].add_load(row.size_bytes)
            self.waiting.pop(row.number, None)

    def store_again(self, rows: Sequence[SegmentRow], targets: Mapping[int, str]) -> None:
        """Plan segments again whose device is gone: number → the device that is to store it now."""
        chosen = [row for row in rows if row.number in targets]
        with self._catalog.transaction():
            for target in sorted({targets[row.number] for row in chosen}):
                numbers = [row.number for row in chosen if targets[row.number] == target]
                self._catalog.transitions.plan_again(self.snapshot_id, numbers, target)
        for row in chosen:
            self.displaced[row.number] = row
            self.lost_holders.add(row.device)
            self._shares[row.device].remove_stored(row.size_bytes)
            self._shares[targets[row.number]].add_load(row.size_bytes)

    def keep(self, number: int) -> None:
        """Put a displaced segment back for the rest of the run."""
        self.put_back([number])
        self.kept.add(number)

    def put_back(self, numbers: Iterable[int]) -> None:
        """Displaced segments that are not stored again count where they lie."""
        for number in numbers:
            row = self.displaced.pop(number)
            (now,) = self._catalog.segments.by_number(self.snapshot_id, [number])
            if self._catalog.transitions.put_back(self.snapshot_id, row):
                self.waiting.pop(number, None)
                self._shares[now.device].remove_load(row.size_bytes)
                self._shares[row.device].add_load(row.size_bytes)
                self._shares[row.device].add_stored(row.size_bytes)
