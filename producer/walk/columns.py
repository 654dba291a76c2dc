"""What a scan found in a directory, as the columns of a batch.  A scout makes them, and sends them as they are."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

from producer.listing.entry import NO_DATA
from producer.walk.found import Found
from producer.walk.status import StatusColumns, file_system_of, node_of
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
    #: See :class:`producer.walk.found.Found`; empty where a file has several names: others may stand elsewhere.
    mark: bytes


def columns_of(found: Found) -> Columns:
    names, kinds = found.names, "".join(found.letters)
    statuses = StatusColumns(found.statuses)
    sizes_bytes, inodes, links_counts, flags = (
        statuses.sizes_bytes(),
        statuses.inodes(),
        statuses.links_counts(),
        statuses.flags(),
    )
    # Most folders hold nothing but files.
    are_files = [kind == "f" for kind in kinds] if kinds.strip("f") else None
    attributes, attribute_sets = _shared_attributes(found) if found.attributes else ({}, [])
    several_names = {
        place: (file_system_of(found.statuses[place]), inodes[place])
        for place, count in (enumerate(links_counts) if max(links_counts) > 1 else ())
        if count > 1 and kinds[place] == "f"
    }
    return Columns(
        directory=found.directory,
        names=names,
        kinds=kinds,
        modes=[mode & 0o7777 for mode in statuses.modes()],
        uids=statuses.uids(),
        gids=statuses.gids(),
        mtimes_ns=statuses.mtimes_ns(),
        ctimes_ns=statuses.ctimes_ns(),
        sizes_bytes=sizes_bytes if are_files is None else _of_files(sizes_bytes, are_files, NO_DATA),
        inodes=inodes if are_files is None else _of_files(inodes, are_files, 0),
        links=found.links,
        device_numbers={} if are_files is None else _device_numbers(found),
        data_ranges=found.data_ranges,
        births_ns=statuses.births_ns(),
        flags={name: flag for name, flag in zip(names, flags, strict=True) if flag} if flags else {},
        attributes=attributes,
        attribute_sets=attribute_sets,
        several_names=several_names,
        mark=b"" if several_names else found.mark,
    )


def _of_files(column: Sequence[int], are_files: Sequence[bool], other: int) -> list[int]:
    return [value if is_file else other for value, is_file in zip(column, are_files, strict=True)]


def _device_numbers(found: Found) -> dict[str, int]:
    entries = zip(found.names, found.letters, found.statuses, strict=True)
    return {name: node_of(status) for name, letter, status in entries if letter in "cb"}


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
