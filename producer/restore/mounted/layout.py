"""The folders above the snapshots: ``ids/ID``, and for each volume its snapshots by time, and ``latest``.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct, field

from producer.catalog.tables.snapshots.rows import SnapshotRow

IDS, VOLUMES, LATEST = "ids", "volumes", "latest"
_SHORT_CHARACTERS = 8


class Layout(Struct, kw_only=True):
    """What is in each folder, where symlinks lead, and which folders are snapshots; paths have no leading slash."""

    folders: dict[str, list[str]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    #: Path → id of the snapshot.
    snapshots: dict[str, str] = field(default_factory=dict)

    def split(self, path: str) -> tuple[str, str] | None:
        """(id of the snapshot, path in it) of a path in a snapshot's folder, or of that folder; None for others."""
        above, _, rest = path.partition("/")
        name, _, inside = rest.partition("/")
        snapshot_id = self.snapshots.get(f"{above}/{name}")
        return None if snapshot_id is None else (snapshot_id, inside)


def layout_of(snapshots: Iterable[SnapshotRow], made: Sequence[str] = ()) -> Layout:
    """``made``: the ids of snapshots in the order of their making, which says what is the latest; else, by its time."""
    rows = sorted(snapshots, key=lambda row: (row.started_at, row.snapshot_id))
    layout = Layout(folders={"": [IDS, VOLUMES], IDS: [], VOLUMES: []})
    shared = Counter(row.snapshot_id[:_SHORT_CHARACTERS] for row in rows)
    for row in rows:
        short = row.snapshot_id[:_SHORT_CHARACTERS]
        name = short if shared[short] == 1 else row.snapshot_id
        layout.folders[IDS].append(name)
        layout.snapshots[f"{IDS}/{name}"] = row.snapshot_id
        _add_by_time(layout, row, name)
    _set_latest(layout, {row.snapshot_id: row.volume for row in rows}, made)
    return layout


def _set_latest(layout: Layout, volumes: Mapping[str, str], made: Sequence[str]) -> None:
    """``volumes``: snapshot id → its volume."""
    names = {layout.snapshots[f"{IDS}/{name}"]: name for name in layout.folders[IDS]}
    latest = {volumes[snapshot_id]: names[snapshot_id] for snapshot_id in made if snapshot_id in names}
    for volume, name in latest.items():
        folder = f"{VOLUMES}/{volume}"
        moments = (one for one in layout.folders[folder] if layout.links[f"{folder}/{one}"] == f"../../{IDS}/{name}")
        layout.links[f"{folder}/{LATEST}"] = next(moments)


def _add_by_time(layout: Layout, row: SnapshotRow, name: str) -> None:
    volume = f"{VOLUMES}/{row.volume}"
    if volume not in layout.folders:
        layout.folders[VOLUMES].append(row.volume)
        layout.folders[volume] = [LATEST]
    moment = f"{row.started_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if moment in layout.folders[volume]:
        moment = f"{moment}-{name}"
    layout.folders[volume].append(moment)
    layout.links[f"{volume}/{moment}"] = f"../../{IDS}/{name}"
    layout.links[f"{volume}/{LATEST}"] = moment


def newest_of(snapshots: Iterable[SnapshotRow]) -> datetime:
    """When the newest snapshot was made: the time of the folders above them."""
    return max((row.started_at for row in snapshots), default=datetime.now(UTC))
