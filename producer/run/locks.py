"""The locks of a run: it opens the catalog, and owns what it takes there until it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from producer.catalog.catalog import Catalog
from producer.observer import Observer
from producer.ownership.lock_holder import LockHolder

if TYPE_CHECKING:
    from producer.run.environment import Environment


@contextmanager
def owner_of_locks(observer: Observer, environment: Environment) -> Iterator[LockHolder]:
    """This run as an owner in the catalog, which is open meanwhile; no lock is taken yet."""
    with (
        Catalog(environment.catalog) as catalog,
        LockHolder(catalog, environment.catalog, manager=environment.manager, note=observer.note) as holder,
    ):
        yield holder


@contextmanager
def locked(name: str, purpose: str, observer: Observer, environment: Environment) -> Iterator[LockHolder]:
    """As :func:`owner_of_locks`, with the lock called ``name``; waits for it as long as the environment says.

    Raises LockedError.
    """
    with (
        owner_of_locks(observer, environment) as holder,
        holder.holding(name, purpose=purpose, patience_s=environment.patience.left_s),
    ):
        yield holder
