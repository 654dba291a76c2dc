"""What source bytes are expected to take on a device."""

from __future__ import annotations

from producer.catalog.catalog import Catalog
from producer.plan import expected_ratio

#: How many of the volume's last snapshots are asked how well it compresses.
_SNAPSHOTS_COUNT = 5

#: How much of what is compared with earlier segments is expected to differ, and so to be stored.
_DIFFERING_SHARE = 0.1


def ratio_of_volume(catalog: Catalog, volume: str, expect_ratio: float | None) -> float:
    """Stored bytes for each source byte of a new snapshot, as in the volume's last ones; 1.0 for a new volume.

    ``expect_ratio``: source bytes for each stored byte, if the user has said so.
    """
    if expect_ratio is not None:
        return 1 / expect_ratio
    rows = [_stored(catalog, row.snapshot_id) for row in catalog.snapshots.sealed_of(volume, _SNAPSHOTS_COUNT)]
    return expected_ratio([row for row in reversed(rows) if row[0]])


def ratio_so_far(catalog: Catalog, snapshot_id: str) -> float:
    """Stored bytes for each source byte of what this snapshot has still to store.

    As in its stored segments; before the first of them, as in the volume's last snapshots.  The
    share that is found unchanged is expected to stay as it is so far.
    """
    stored, read_bytes = _stored(catalog, snapshot_id), _read_bytes(catalog, snapshot_id)
    differing_share = max(_DIFFERING_SHARE, stored[0] / read_bytes) if read_bytes else 1.0
    if not stored[0]:
        snapshot = catalog.snapshots.get(snapshot_id)
        ratio = ratio_of_volume(catalog, snapshot.volume, snapshot.request.get("expect_ratio"))
    else:
        ratio = expected_ratio([stored])
    return ratio * differing_share


def ratio_with_compared(ratio: float, total_bytes: int, compared_bytes: int) -> float:
    """The ratio of all bytes, where some are compared with earlier segments: most of these are not stored."""
    if not compared_bytes:
        return ratio
    return ratio * (1 - (1 - _DIFFERING_SHARE) * min(1.0, compared_bytes / total_bytes))


def _stored(catalog: Catalog, snapshot_id: str) -> tuple[int, int]:
    """Source and stored bytes of what the snapshot itself has stored: an incremental one holds much more."""
    rows = [row for row in catalog.totals.by_state(snapshot_id) if row.state == "stored"]
    return sum(row.bytes_source - row.bytes_unchanged for row in rows), sum(row.bytes_stored for row in rows)


def _read_bytes(catalog: Catalog, snapshot_id: str) -> int:
    """What the snapshot has read so far, stored or found unchanged."""
    rows = catalog.totals.by_state(snapshot_id)
    return sum(row.bytes_source for row in rows if row.state in ("stored", "unchanged"))
