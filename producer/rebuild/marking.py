"""The tags and pins that were changed after the seals of snapshots, from whichever devices have them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from producer.catalog.tables.snapshots.marks import MarkedRow
from producer.manifest.marks import SnapshotMarks, decode_marks, marks_name
from producer.pool.manifests.fetching import Fetcher, WantedFile, holding
from producer.pool.manifests.marks import newest_marks


def read_marks(
    fetcher: Fetcher, names: Mapping[str, frozenset[str]], snapshot_ids: Collection[str]
) -> dict[str, MarkedRow]:
    """Snapshot → the tags and the pin that were set last; a damaged file is skipped.

    ``names``: device → its files of manifests.  The next run writes the marks to the devices again.
    """
    found: list[SnapshotMarks] = []

    def take(_name: str, _device: str, data: bytes) -> None:
        marks = decode_marks(data)
        if marks is not None and marks.snapshot_id in snapshot_ids:
            found.append(marks)

    wanted = map(marks_name, sorted(snapshot_ids))
    fetcher.copies([WantedFile(name=name, devices=holding(names, name)) for name in wanted], take)
    return {
        marks.snapshot_id: MarkedRow(
            snapshot_id=marks.snapshot_id,
            state="sealed",
            tags=marks.tags,
            pinned=marks.pinned,
            marked_at=marks.changed,
            marks_on=(),
        )
        for marks in newest_marks(found).values()
    }
