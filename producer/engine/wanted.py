"""One pass over the listing and one over the segments, before a restore orders anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from producer.catalog.catalog import Catalog
from producer.catalog.rows import SegmentRow
from producer.engine.selection import Selection
from producer.listing.parts import decode_part
from tasks.errors import UsageError


@dataclass(kw_only=True, slots=True)
class Wanted:
    """What a selection comes to."""

    #: Entry indexes [first_entry, stop_entry) hold all that is wanted.
    first_entry: int = 0
    stop_entry: int = 0
    #: Wanted entries that have stored data, and the bytes of it, for the progress; without ``promoted`` ones.
    files_count: int = 0
    bytes_total: int = 0
    #: Whether there are hard links among what is wanted.
    has_links: bool = False
    #: Snapshot path of a file that is not wanted itself → target path of the first hard link to it that is.
    promoted: dict[str, str] = field(default_factory=dict)
    #: Entries whose data lies in more than one segment, and raw volumes.
    pieced: set[int] = field(default_factory=set)
    #: Pieced entries that ended early when they were read → their real size.
    short: dict[int, int] = field(default_factory=dict)
    #: Entries that the backup could not read at all.
    not_stored: set[int] = field(default_factory=set)


def find_wanted(catalog: Catalog, snapshot_id: str, selection: Selection, *, may_lack_parts: bool = False) -> Wanted:
    """Raises UsageError when nothing in the snapshot is wanted.

    ``may_lack_parts``: a file with a segment of its own counts as pieced, for it may come back without some units.
    """
    wanted = Wanted()
    volumes = {source.name for source in catalog.snapshot(snapshot_id).sources if source.mode == "raw"}
    _look_through_listing(catalog, snapshot_id, selection, wanted, volumes)
    if wanted.stop_entry == 0:
        what = f"no path {selection.path!r}" if selection.path else "nothing that fits the patterns"
        raise UsageError(
            f"snapshot {snapshot_id[:8]} holds {what}", hint=f"segfleet ls {snapshot_id[:8]} lists what it holds"
        )
    _look_through_segments(catalog.stored_segments(snapshot_id), wanted, may_lack_parts=may_lack_parts)
    return wanted


def _look_through_listing(
    catalog: Catalog, snapshot_id: str, selection: Selection, wanted: Wanted, volumes: set[str]
) -> None:
    links: list[tuple[str, str]] = []
    first: int | None = None
    for part in catalog.listing_parts(snapshot_id):
        for batch in decode_part(part.data):
            prefix = f"{batch.source}/{batch.prefix}"
            for place, (name, kind) in enumerate(zip(batch.names, batch.kinds, strict=True)):
                path = prefix + name if name else batch.source
                target = selection.target_path(path, is_directory=kind == "d")
                if target is None:
                    continue
                first = batch.first_entry + place if first is None else first
                wanted.stop_entry = batch.first_entry + place + 1
                if kind == "h":
                    links.append((batch.links[name], target))
                elif batch.sizes_bytes[place] > 0:
                    wanted.files_count += 1
                    wanted.bytes_total += batch.sizes_bytes[place]
                    if batch.source in volumes:
                        # However many segments it has: what none of them holds is zeros.
                        wanted.pieced.add(batch.first_entry + place)
    wanted.first_entry = first or 0
    wanted.has_links = bool(links)
    for link, target in links:
        if selection.target_path(link, is_directory=False) is None:
            wanted.promoted.setdefault(link, target)


def _look_through_segments(rows: Iterable[SegmentRow], wanted: Wanted, *, may_lack_parts: bool) -> None:
    seen: set[int] = set()
    for row in rows:
        if row.stop_entry - row.first_entry > 1:
            continue
        entry = row.first_entry
        if entry in seen or may_lack_parts:
            wanted.pieced.add(entry)
        seen.add(entry)
        for note in row.notes:
            if note["trouble"] in ("vanished", "unreadable"):
                wanted.not_stored.add(entry)
            elif note["read_bytes"] < row.size_bytes:
                end_bytes = row.offset_bytes + note["read_bytes"]
                wanted.short[entry] = min(end_bytes, wanted.short.get(entry, end_bytes))
