"""Which files of manifests go from a device, by their names.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from producer.catalog.tables.snapshots.rows import SnapshotState
from producer.manifest import head_name
from producer.manifest.tombstones import claim_name, is_claim, is_tombstone, tombstone_name


def files_by_snapshot(names: Iterable[str]) -> dict[str, list[str]]:
    """Snapshot → its files, without generations, which are of catalogs."""
    found = defaultdict[str, list[str]](list)
    for name in names:
        snapshot_id, _, kind = name.partition(".")
        if kind != "generation":
            found[snapshot_id].append(name)
    return dict(found)


def files_to_delete(names: Iterable[str], states: Mapping[str, SnapshotState], emptied: Collection[str]) -> list[str]:
    """What goes from a device with these files: the heads first, and of each snapshot its claim last.

    ``states``: of the snapshots that the catalog knows; files of others stay.  ``emptied``: the forgotten snapshots of
    which nothing is needed.  Of a sealed one only the claim goes, which has ended.
    """
    heads, others = list[str](), list[str]()
    for snapshot_id, found in files_by_snapshot(names).items():
        state, head = states.get(snapshot_id), head_name(snapshot_id)
        if state == "sealed" and head in found:
            others += [name for name in found if is_claim(name)]
        elif state == "forgotten" and snapshot_id in emptied:
            heads += [name for name in found if name == head]
            parts = sorted(name for name in found if name != head and not is_claim(name) and not is_tombstone(name))
            others += [*reversed(parts), *(name for name in found if is_claim(name))]
    return heads + others


def without_tombstone(names: Iterable[str], states: Mapping[str, SnapshotState]) -> list[str]:
    """The forgotten snapshots of which the device has a file and no tombstone."""
    return sorted(
        snapshot_id
        for snapshot_id, found in files_by_snapshot(names).items()
        if states.get(snapshot_id) == "forgotten" and tombstone_name(snapshot_id) not in found
    )


def left_of(names: Iterable[str], snapshot_id: str) -> list[str]:
    """The files of a snapshot but for its tombstone."""
    return [name for name in names if name.startswith(f"{snapshot_id}.") and not is_tombstone(name)]


def unknown_heads(names: Iterable[str], states: Mapping[str, SnapshotState]) -> dict[str, str]:
    """Snapshot that has a head and is not known → the name of its claim if there is one, else ""."""
    return {
        snapshot_id: claim_name(snapshot_id) if claim_name(snapshot_id) in found else ""
        for snapshot_id, found in files_by_snapshot(names).items()
        if head_name(snapshot_id) in found and snapshot_id not in states
    }
