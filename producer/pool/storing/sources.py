"""The sources that a repair may read: those of the newest snapshot of each volume, where the catalog knows a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct, ValidationError
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.requests import BackupRequest, Source
from tasks.values import SourcePlace


class SourcesToRead(Struct, frozen=True, kw_only=True):
    """``roots``: what workers of this host need, by name; ``sources``: snapshot → its sources, by their names in it."""

    roots: Mapping[str, Path]
    sources: Mapping[str, Mapping[str, Source]]


def sources_to_read(catalog: Catalog) -> SourcesToRead:
    newest = {(row.pool_id, row.volume): row for row in catalog.snapshots.all()}
    return sources_of(newest.values())


def sources_of(snapshots: Iterable[SnapshotRow]) -> SourcesToRead:
    """Without raw volumes and streams, which nobody can read again as they were.

    Volumes may have different sources of one name: workers then find all but the first below the folders they are in.
    """
    roots: dict[str, Path] = {}
    sources: dict[str, dict[str, Source]] = {}
    for snapshot in snapshots:
        found = sources[snapshot.snapshot_id] = {}
        for source in _of_files(snapshot):
            apart = source if roots.get(source.root[0], source.root[1]) == source.root[1] else _apart(source, roots)
            name, path = apart.root
            roots[name] = path
            found[source.name] = apart
    return SourcesToRead(roots=roots, sources=sources)


def _of_files(snapshot: SnapshotRow) -> Iterator[Source]:
    within = _within(snapshot)
    for row in snapshot.sources:
        # A stream has no folder, and nobody knows that of files without a manifest.
        if row.mode == "files" and Path(row.path).is_absolute():
            yield Source(name=row.name, path=Path(row.path), within=within.get(row.name))


def _within(snapshot: SnapshotRow) -> dict[str, SourcePlace]:
    """Where agents find sources, as the backup was told; nothing where that is unknown, as after a rebuild."""
    try:
        request = BackupRequest.from_json(snapshot.request)
    except ValidationError:
        return {}
    return {one.name: one.within for one in request.sources if one.within is not None}


def _apart(source: Source, roots: Mapping[str, Path]) -> Source:
    names = (f"{source.name}-{number}" for number in range(2, len(roots) + 3))
    name = next(name for name in names if roots.get(name, source.path.parent) == source.path.parent)
    return replace(source, within=SourcePlace(source=name, path=source.path.name))
