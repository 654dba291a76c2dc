"""Snapshots that somebody reads are not forgotten; readers do not wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from kit.models.owners import change_owners, enter_owner
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import NewSnapshot
from producer.ownership.lock_holder import LockHolder
from producer.ownership.readers import Readers, without_readers
from producer.ownership.verdict import GONE_S
from tasks.errors import UsageError

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture(autouse=True)
def history(catalog: Catalog) -> None:
    for snapshot_id in (ONE, TWO):
        catalog.snapshots.begin(
            NewSnapshot(
                snapshot_id=snapshot_id,
                pool_id="b" * 32,
                volume="home",
                mode="files",
                hostname="host",
                tags=(),
                sources=(),
                request={},
                started_at=datetime(2026, 1, 1, tzinfo=UTC),
            )
        )
        catalog.snapshots.seal(snapshot_id, datetime(2026, 1, 1, tzinfo=UTC), b"d" * 32)


@contextmanager
def reading(url: str, *snapshot_ids: str, purpose: str = "restore") -> Iterator[None]:
    readers = Readers(url, purpose=purpose, manager="", note=lambda text: None)
    try:
        readers.begin(snapshot_ids)
        yield
    finally:
        readers.close()


def read_now(catalog: Catalog, url: str) -> dict[str, str]:
    """Snapshot → what for."""
    with LockHolder(catalog, url) as holder, without_readers(holder, [ONE, TWO], purpose="forget") as found:
        return {snapshot_id: lock.purpose for snapshot_id, lock in found.items()}


def test_readers_of_one_snapshot_do_not_exclude_each_other(catalog: Catalog, catalog_url: str) -> None:
    with reading(catalog_url, ONE):
        with reading(catalog_url, ONE, TWO, purpose="mount"):
            assert read_now(catalog, catalog_url).keys() == {ONE, TWO}
        assert read_now(catalog, catalog_url) == {ONE: "restore"}
    assert read_now(catalog, catalog_url) == {}


def test_a_reader_that_was_killed_holds_nothing(catalog: Catalog, catalog_url: str) -> None:
    owner_id = enter_owner(catalog)
    catalog.locks.take(f"snapshot {ONE} {owner_id[:8]}", owner_id, "restore")
    assert read_now(catalog, catalog_url) == {ONE: "restore"}
    change_owners(catalog_url, silent_s=2 * GONE_S)
    assert read_now(catalog, catalog_url) == {}


def test_what_has_just_been_forgotten_is_not_read(catalog: Catalog, catalog_url: str) -> None:
    catalog.marks.forget([TWO])
    with pytest.raises(UsageError, match="forgotten"), reading(catalog_url, ONE, TWO):
        pass
    assert read_now(catalog, catalog_url) == {}
