"""Copies on devices whose workers reach no other copy, as on another host: from the sources, which they read again.

What they store counts as a copy only where each extent has the digest that was recorded when it was stored first.  A
file without it has changed in between: its copy is missing, which is said, and the next backup stores it anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from producer.backup.sealing.record_tree import record_tree
from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tree import Tree
from producer.listing.extents import SegmentContents
from producer.listing.healing import healing_contents
from producer.listing.places.stored_ranges import united
from producer.listing.read_again import stored_contents
from producer.observer import Trouble
from producer.pool.copies import Copying
from producer.pool.copying import Copied
from producer.pool.members import Member
from producer.pool.storing.again import entries_changed, order_again, provable, stored_again
from producer.pool.storing.known_digests import KnownDigests
from producer.pool.storing.store_orders import StoreOrders
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import Reason
from tasks.orders import Order, StoreSegment
from tasks.receipts import Receipt


class SourceCopies:
    """Of one run.  ``on_made`` gets the object and its device, on the run's thread."""

    def __init__(
        self,
        session: RunSession,
        state: BackupState,
        orders: StoreOrders,
        on_made: Callable[[StoredObject, Member], None],
    ) -> None:
        self._session = session
        self._state = state
        self._orders = orders
        self._on_made = on_made
        self._known = KnownDigests(session.catalog)
        #: (segment, device id): all that the sources still have of the segment is there.
        self.settled: set[tuple[str, str]] = set()
        #: Files that have changed since they were stored.
        self.changed_entries: set[int] = set()
        #: Orders that are still to be answered before one is settled.
        self._unanswered = Counter[tuple[str, str]]()

    def make(self, copyings: Sequence[Copying]) -> Copied:
        """Make the copies that the sources still have; each of them is settled, or fails.  Raises InterruptedRun."""
        own = self._own_rows({one.object.segment_id for one in copyings})
        tree = self._tree() if any(one.object.segment_id not in own for one in copyings) else None
        copied, asked = Copied(), dict[str, tuple[StoreSegment, Sequence[int]]]()
        by_target: defaultdict[str, list[Copying]] = defaultdict(list)
        for one in copyings:
            by_target[one.target.name].append(one)

        def orders(name: str) -> Iterator[Order]:
            member = self._state.members[name]
            for one in by_target[name]:
                key, found = (one.object.segment_id, member.device_id), self._contents(one, own, tree)
                self._unanswered[key] = len(found)
                if not found:
                    self.settled.add(key)
                for contents in found:
                    if self._orders.is_of_files(contents.source):
                        order = self._order(one.object.segment_id, contents, member)
                        asked[order.order_id] = order, contents.entries
                        yield order
                    else:
                        copied.failures["raw volumes and streams are not read again for a copy"] = None

        def take(order: Order, receipt: Receipt) -> None:
            self._take(*asked.pop(order.order_id), receipt, copied)

        copied.died = run_wave(self._session, {name: orders(name) for name in by_target}, take)
        copied.failures |= {f"device {name}: {why}": None for name, why in copied.died.items()}
        return copied

    def tell_changed(self) -> None:
        """Name the files whose copies are missing, because they have changed."""
        catalog = self._session.catalog
        reader = catalog.listing.reader(self._state.snapshot_id)
        paths = {source.name: source.path for source in catalog.snapshots.get(self._state.snapshot_id).sources}
        for index in sorted(self.changed_entries):
            entry = reader.entry(index)
            message = "it changed before it was copied to another host: one copy less; the next backup stores it anew"
            path = f"{paths[entry.source]}/{entry.path}"
            self._session.observer.trouble(Trouble(code="changed", message=message, path=path))

    def _take(self, order: StoreSegment, entries: Sequence[int], receipt: Receipt, copied: Copied) -> None:
        if receipt.failure is not None:
            copied.failures[receipt.failure.message] = None
            if receipt.failure.reason is Reason.FULL:
                copied.full[order.device] = receipt.failure.message
            return
        member = self._state.members[order.device]
        member.free_bytes = receipt.result.free_bytes
        made = stored_again(self._session.catalog, order, receipt)
        if made is not None:
            copied.made_count += 1
            self._on_made(made, member)
        key = order.segment_id, member.device_id
        self._unanswered[key] -= 1
        if not self._unanswered[key]:
            self.settled.add(key)
        self.changed_entries |= entries_changed(entries, receipt)

    def _own_rows(self, segment_ids: set[str]) -> dict[str, SegmentRow]:
        """Those of the segments that this snapshot has stored."""
        rows = self._session.catalog.segments.stored(self._state.snapshot_id)
        return {row.segment_id: row for row in rows if row.segment_id in segment_ids and not row.heals}

    def _tree(self) -> Tree:
        """What would be sealed now: it names all that the snapshot needs of earlier ones, of compared files too."""
        catalog, snapshot = self._session.catalog, self._session.catalog.snapshots.get(self._state.snapshot_id)
        record_tree(catalog, snapshot, self._state.members)
        return catalog.trees.of(snapshot.snapshot_id)

    def _contents(self, one: Copying, own: Mapping[str, SegmentRow], tree: Tree | None) -> list[SegmentContents]:
        """What the snapshot needs of the segment and the device does not have, of each source."""
        segment_id, held = one.object.segment_id, self._held(one)
        if segment_id in own:
            row = own[segment_id]
            stored = stored_contents(self._orders.contents(row), segment_id, unchanged=row.unchanged, held=held)
            found = [] if stored is None else [stored]
        else:
            assert tree is not None
            numbers = tree.parts_of_segments.get(segment_id, ())
            batches = (batch for number in numbers for batch in tree.decoded(tree.parts[number]))
            found = list(healing_contents(batches, segment_id, held))
        return [proved for contents in found if (proved := self._proved(contents)) is not None]

    def _held(self, one: Copying) -> list[tuple[int, int]]:
        objects: Iterable[StoredObject] = self._session.catalog.objects.of([one.object.segment_id]).get(
            one.object.segment_id, ()
        )
        sound = (other for other in objects if other.device_id == one.target.device_id and not other.is_damaged)
        return united(part for other in sound for part in other.ranges)

    def _proved(self, contents: SegmentContents) -> SegmentContents | None:
        """Without the extents that nothing can prove to be the same."""
        indexes = provable(self._known, contents)
        others = set(range(len(contents.entries))).difference(indexes)
        self.changed_entries |= {contents.entries[index] for index in others}
        return contents.at(indexes) if indexes else None

    def _order(self, segment_id: str, contents: SegmentContents, member: Member) -> StoreSegment:
        return order_again(self._orders, self._state.snapshot_id, segment_id, contents, member, "copy")
