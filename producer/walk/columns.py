"""What a scan found in a directory, as the columns of a batch.  A scout makes them, and sends them as they are."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

from producer.listing.entry import NO_DATA
from producer.walk.found import Found
from tasks.sources.metadata import Attributes


class Columns(NamedTuple):
    """Those of a :class:`producer.listing.EntryBatch`, as the scan sees them: no further name is a hard link yet."""

    directory: str
    names: list[str]
    kinds: str
    modes: list[int]
    uids: list[int]
    gids: list[int]
    mtimes_ns: list[int]
    ctimes_ns: list[int]
    sizes_bytes: list[int]
    inodes: list[int]
    links: dict[str, str]
    device_numbers: dict[str, int]
    data_ranges: dict[str, list[tuple[int, int]]]
    births_ns: list[int | None]
    flags: dict[str, int]
    attributes: dict[str, int]
    attribute_sets: list[Attributes]
    #: By place, of each file with several names: its file system and inode.
    several_names: dict[int, tuple[int, int]]


def columns_of(found: Found) -> Columns:
    names, kinds = found.names, "".join(found.letters)
    # The fields of Status, a column each.
    modes, uids, gids, sizes_bytes, mtimes_ns, ctimes_ns, links_counts, devices, inodes, rdevs, *_, births_ns, flags = (
        zip(*found.statuses, strict=True)
    )
    # Most folders hold nothing but files.
    are_files = [kind == "f" for kind in kinds] if kinds.strip("f") else None
    attributes, attribute_sets = _shared_attributes(found) if found.attributes else ({}, [])
    return Columns(
        directory=found.directory,
        names=names,
        kinds=kinds,
        modes=[mode & 0o7777 for mode in modes],
        uids=list(uids),
        gids=list(gids),
        mtimes_ns=list(mtimes_ns),
        ctimes_ns=list(ctimes_ns),
        sizes_bytes=list(sizes_bytes) if are_files is None else _of_files(sizes_bytes, are_files, NO_DATA),
        inodes=list(inodes) if are_files is None else _of_files(inodes, are_files, 0),
        links=found.links,
        device_numbers={} if are_files is None else _device_numbers(names, kinds, rdevs),
        data_ranges=found.data_ranges,
        births_ns=list(births_ns),
        flags={name: flag for name, flag in zip(names, flags, strict=True) if flag} if any(flags) else {},
        attributes=attributes,
        attribute_sets=attribute_sets,
        several_names={
            place: (devices[place], inodes[place])
            for place, count in (enumerate(links_counts) if max(links_counts) > 1 else ())
            if count > 1 and kinds[place] == "f"
        },
    )


def _of_files(column: Sequence[int], are_files: Sequence[bool], other: int) -> list[int]:
    return [value if is_file else other for value, is_file in zip(column, are_files, strict=True)]


def _device_numbers(names: Sequence[str], kinds: str, rdevs: Sequence[int]) -> dict[str, int]:
    return {name: rdev for name, kind, rdev in zip(names, kinds, rdevs, strict=True) if kind in "cb"}


def _shared_attributes(found: Found) -> tuple[dict[str, int], list[Attributes]]:
    """By name: which of the sets; and the sets, each once."""
    places: dict[str, int] = {}
    known: dict[frozenset[tuple[str, bytes]], int] = {}
    sets: list[Attributes] = []
    for name, values in found.attributes.items():
        place = known.setdefault(frozenset(values.items()), len(sets))
        if place == len(sets):
            sets.append({key: b64encode(value).decode("ascii") for key, value in values.items()})
        places[name] = place
    return places, sets
