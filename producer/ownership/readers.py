"""The snapshots that runs read: nobody forgets them meanwhile.

A reader has a lock of its own for each snapshot, so readers do not exclude each other.  A run that forgets excludes
all of them while it looks for their locks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from producer.catalog.catalog import Catalog
from producer.catalog.tables.locks import LockRow
from producer.ownership.lock_holder import LockHolder
from producer.ownership.verdict import living_locks
from tasks.errors import UsageError

#: Held for a moment: by a run that begins to read, and by one that forgets.
_ALL = "snapshots"
_READ = "snapshot"

#: Others hold that lock for some milliseconds.
_PATIENCE_S = 30.0


class Readers:
    """What one run reads, from :meth:`begin` to :meth:`close`.  Used in one thread."""

    def __init__(self, location: str, *, purpose: str, manager: str, note: Callable[[str], None]) -> None:
        """``location``: where the catalog is, of which it opens a connection of its own when it is needed."""
        self._location = location
        self._purpose = purpose
        self._manager = manager
        self._note = note
        self._stack = ExitStack()
        self._holder: LockHolder | None = None

    def begin(self, snapshot_ids: Collection[str]) -> None:
        """Keep these snapshots from being forgotten; raises UsageError for one that has just been.

        In a catalog that cannot be written there are no locks: nobody forgets anything there.
        """
        holder = self._holder or self._open()
        if holder is None:
            return
        catalog = holder.catalog
        with holder.holding(_ALL, purpose=self._purpose, patience_s=_PATIENCE_S), catalog.transaction():
            for snapshot_id in snapshot_ids:
                if catalog.snapshots.get(snapshot_id).state == "forgotten":
                    raise UsageError(f"snapshot {snapshot_id[:8]} has just been forgotten", hint="choose another one")
                catalog.locks.take(f"{_READ} {snapshot_id} {holder.owner_id[:8]}", holder.owner_id, self._purpose)

    def close(self) -> None:
        self._stack.close()
        self._holder = None

    def _open(self) -> LockHolder | None:
        catalog = self._stack.enter_context(Catalog(self._location))
        if catalog.why_read_only:
            return None
        holder = LockHolder(catalog, self._location, manager=self._manager, note=self._note)
        self._holder = self._stack.enter_context(holder)
        return self._holder


def read_by(lock: LockRow) -> str:
    """The snapshot that the holder of this lock reads; "" for a lock of another kind."""
    kind, _, rest = lock.name.partition(" ")
    return rest.partition(" ")[0] if kind == _READ else ""


@contextmanager
def without_readers(holder: LockHolder, snapshot_ids: Sequence[str], *, purpose: str) -> Iterator[dict[str, LockRow]]:
    """The readers of these snapshots, by snapshot: nobody else begins to read one during the block."""
    with holder.holding(_ALL, purpose=purpose, patience_s=_PATIENCE_S):
        wanted = set(snapshot_ids)
        yield {snapshot_id: lock for snapshot_id, lock in _reading(holder.catalog).items() if snapshot_id in wanted}


@contextmanager
def no_new_readers(holder: LockHolder | None, *, purpose: str) -> Iterator[None]:
    """Nobody begins to read a snapshot during the block, which is to be short.  No holder: nobody else is there."""
    if holder is None:
        yield
        return
    with holder.holding(_ALL, purpose=purpose, patience_s=_PATIENCE_S):
        yield


def read_snapshots(catalog: Catalog) -> set[str]:
    """The snapshots that somebody reads now."""
    return set(_reading(catalog))


def _reading(catalog: Catalog) -> dict[str, LockRow]:
    return {snapshot_id: lock for lock in living_locks(catalog).values() if (snapshot_id := read_by(lock))}
