"""The folders of a mounted file system above the snapshots."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.restore.mounted.layout import layout_of

NOON = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
EARLY, LATE, OTHER = "1" * 32, "2" * 32, "2" * 8 + "3" * 24


def row(snapshot_id: str, volume: str, after_s: float) -> SnapshotRow:
    return SnapshotRow(
        snapshot_id=snapshot_id,
        pool_id="c" * 32,
        volume=volume,
        mode="files",
        state="sealed",
        hostname="here",
        tags=(),
        sources=(),
        request={},
        started_at=NOON + timedelta(seconds=after_s),
        planned_at=None,
        sealed_at=None,
        lacks=(),
        threshold_bytes=0,
        bundle_limit_bytes=0,
        unit_bytes=0,
        block_bytes=0,
        level=0,
        entries_count=0,
        files_count=0,
        bytes_source=0,
        bytes_stored=0,
        segments_count=0,
    )


def test_snapshots_are_found_by_id_and_by_volume_and_time() -> None:
    layout = layout_of([row(LATE, "home", 60), row(EARLY, "home", 0)])

    assert layout.folders[""] == ["ids", "volumes"]
    assert layout.folders["ids"] == ["11111111", "22222222"]
    assert layout.folders["volumes"] == ["home"]
    assert layout.folders["volumes/home"] == ["latest", "2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z"]
    assert layout.links["volumes/home/latest"] == "2026-03-01T12:01:00Z"
    assert layout.links["volumes/home/2026-03-01T12:00:00Z"] == "../../ids/11111111"


def test_the_latest_is_the_one_that_was_made_last_whatever_the_clock_said() -> None:
    layout = layout_of([row(LATE, "home", 60), row(EARLY, "home", 0)], made=[LATE, OTHER, EARLY])

    assert layout.links["volumes/home/latest"] == "2026-03-01T12:00:00Z"


def test_names_that_would_clash_are_longer() -> None:
    layout = layout_of([row(LATE, "a", 0), row(OTHER, "a", 0.5)])

    assert layout.folders["ids"] == [LATE, OTHER]
    assert layout.folders["volumes/a"] == ["latest", "2026-03-01T12:00:00Z", f"2026-03-01T12:00:00Z-{OTHER}"]


def test_paths_lead_into_snapshots() -> None:
    layout = layout_of([row(EARLY, "home", 0)])

    assert layout.split("ids/11111111") == (EARLY, "")
    assert layout.split("ids/11111111/data/a/b") == (EARLY, "data/a/b")
    assert layout.split("ids") is layout.split("") is layout.split("ids/other/data") is None
