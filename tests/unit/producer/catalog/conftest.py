"""Every test here takes its catalog from ``catalog_url``, so the suite runs on whatever database that names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import NewSegment
from producer.catalog.tables.snapshots.rows import NewSnapshot, SourceRow

BeginSnapshot = Callable[..., str]


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    with Catalog(catalog_url) as opened:
        yield opened


@pytest.fixture
def begin_snapshot(catalog: Catalog) -> BeginSnapshot:
    """Begins a snapshot, with what the test cares about, and returns its id."""

    def begin(snapshot_id: str = "", volume: str = "home", started_at: datetime | None = None) -> str:
        snapshot = NewSnapshot(
            snapshot_id=snapshot_id or uuid4().hex,
            pool_id="b" * 32,
            volume=volume,
            mode="files",
            hostname="host",
            tags=("daily",),
            sources=(SourceRow(name="data", path="/srv/data"),),
            request={"level": 3, "order": "descending"},
            started_at=started_at or datetime(2026, 1, 2, tzinfo=UTC),
        )
        catalog.snapshots.begin(snapshot)
        return snapshot.snapshot_id

    return begin


@pytest.fixture
def planned(catalog: Catalog, begin_snapshot: BeginSnapshot) -> str:
    """A snapshot of five segments of 100 bytes and ten entries: 0, 2 and 4 are for device a, 1 and 3 for b."""
    snapshot_id = begin_snapshot()
    catalog.segments.add(
        snapshot_id,
        [
            NewSegment(
                number=number,
                segment_id=f"{number:032x}",
                device="ab"[number % 2],
                first_entry=number * 10,
                stop_entry=number * 10 + 10,
                offset_bytes=0,
                size_bytes=100,
            )
            for number in range(5)
        ],
    )
    return snapshot_id
