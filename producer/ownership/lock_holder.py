"""This process as an owner of locks."""

from __future__ import annotations

import logging
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from producer.catalog.catalog import Catalog
from producer.catalog.tables.locks import LockRow
from producer.catalog.tables.owners import NewOwner
from producer.host.processes import pid_space, start_of
from producer.ownership.heartbeat import Heartbeat
from producer.ownership.verdict import SUSPECT_S, in_words, verdict, what_to_do
from tasks.errors import CatalogError, LockedError

log = logging.getLogger("segfleet.locks")

_LOOK_EVERY_S = 0.5

#: Taken by runs that meet new devices: two runs at once would make two pools of them, for ever.
NEW_DEVICES = "new devices"


def volume_lock(volume: str) -> str:
    return f"volume {volume}"


class LockHolder:
    """An owner of locks in one catalog, renewed until the block ends.

    Inside the block ``catalog`` writes as this owner (:meth:`producer.catalog.catalog.Catalog.write_as`).  Use it in
    the thread that opened the catalog.
    """

    def __init__(
        self, catalog: Catalog, location: str, *, manager: str = "", note: Callable[[str], None] = lambda text: None
    ) -> None:
        """``location``: where the catalog is; ``note`` gets messages about stale locks and long waits."""
        self.catalog = catalog
        self.owner_id = uuid.uuid4().hex
        self._manager = manager
        self._note = note
        self._heartbeat = Heartbeat(location, self.owner_id)

    def __enter__(self) -> Self:
        self.catalog.owners.enter(
            NewOwner(
                owner_id=self.owner_id,
                host=platform.node(),
                pid_space=pid_space(),
                pid=os.getpid(),
                process_start=start_of(os.getpid()),
                manager=self._manager,
            )
        )
        self.catalog.write_as(self.owner_id)
        self._heartbeat.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._heartbeat.stop()
        self.catalog.write_as("")
        try:
            self.catalog.owners.leave(self.owner_id)
        except CatalogError as trouble:
            # What the block did stands.  The locks are free once this process is gone.
            log.warning("locks not released: %s", trouble)

    @contextmanager
    def holding(
        self, name: str, *, purpose: str, patience_s: float = 0.0, on_wait: Callable[[], None] = lambda: None
    ) -> Iterator[None]:
        """Hold the lock called ``name`` during the block; ``patience_s`` is how long to wait for an owner that lives.

        Removes an owner that is gone, and waits up to a minute for one that may be.  Calls ``on_wait`` meanwhile,
        which may raise.  Raises LockedError, which names the owner.
        """
        self._take(name, purpose, patience_s, on_wait)
        try:
            yield
        finally:
            self._release(name)

    def _take(self, name: str, purpose: str, patience_s: float, on_wait: Callable[[], None]) -> None:
        begun_s = time.monotonic()
        first: LockRow | None = None
        while not self.catalog.locks.take(name, self.owner_id, purpose):
            lock = self.catalog.locks.get(name)
            if lock is None or self._is_removed(lock):
                continue
            if first is None or first.owner.owner_id != lock.owner.owner_id:
                first = lock
            if not self._is_suspect(first, lock) and time.monotonic() - begun_s >= patience_s:
                raise LockedError(f"{name} is in use by {in_words(lock)}", hint=what_to_do(lock))
            if first is lock:
                self._note(f"waiting for {in_words(lock)}: {_why(lock)}")
            on_wait()
            time.sleep(_LOOK_EVERY_S)

    def _is_removed(self, lock: LockRow) -> bool:
        if verdict(lock.owner, manager=self._manager) != "gone" or not self.catalog.owners.remove(lock.owner):
            return False
        self._note(f"the previous {lock.purpose} did not finish; taking over its lock")
        return True

    def _is_suspect(self, first: LockRow, lock: LockRow) -> bool:
        """Whether to wait and see.  One renewal since the ``first`` look proves that the owner lives."""
        has_beaten = lock.owner.beats_count != first.owner.beats_count
        return not has_beaten and verdict(lock.owner, manager=self._manager) == "suspect"

    def _release(self, name: str) -> None:
        try:
            self.catalog.locks.release(name, self.owner_id)
        except (CatalogError, LockedError) as trouble:
            log.warning("%s not released: %s", name, trouble)


def _why(lock: LockRow) -> str:
    if lock.owner.silent_s < SUSPECT_S:
        return "it holds what this run needs"
    return f"it gave no sign of life for {lock.owner.silent_s:.0f} s"
