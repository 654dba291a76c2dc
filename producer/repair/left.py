"""What a repair could not mend, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from producer.catalog.catalog import Catalog
from producer.configuration.values.sizes import format_size


def lost_in_words(catalog: Catalog, snapshot_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(lost device, what of it one of these snapshots still lacks)."""
    lost = {row.device_id for row in catalog.devices.all() if row.state == "lost"}
    for snapshot in map(catalog.snapshots.get, snapshot_ids):
        for lack in snapshot.lacks:
            if lack.device_id in lost and lack.files_count:
                yield (
                    lack.device,
                    f"snapshot {snapshot.snapshot_id[:8]} of volume {snapshot.volume} lacks {lack.files_count} files, "
                    f"{format_size(lack.size_bytes)}, that were on lost device {lack.device}: their sources do not "
                    "have them unchanged; the next backup stores what is there now",
                )


def damaged_in_words(device: str, count: int) -> str:
    return (
        f"objects on device {device} that are missing or damaged: {count}; neither another device nor the sources "
        "have all of what they held; the next backup stores what is there now; to see the files: segfleet check"
    )
