"""Columns of a batch that only some of its entries have."""

from __future__ import annotations

from base64 import b64encode

from producer.walk.found import Found
from producer.walk.sizes import BLOCK_BYTES
from tasks.metadata import Attributes

#: A restore makes no shorter holes.
_SPARSE_MIN_BYTES = 64 * 1024


def shared_attributes(found: Found) -> tuple[dict[str, int], list[Attributes]]:
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


def flags_of(found: Found) -> dict[str, int]:
    return {name: status.st_flags for name, status in zip(found.names, found.statuses, strict=True) if status.st_flags}


def device_numbers_of(found: Found) -> dict[str, int]:
    return {
        name: status.st_rdev
        for name, letter, status in zip(found.names, found.letters, found.statuses, strict=True)
        if letter in "cb"
    }


def sparse_of(found: Found) -> list[str]:
    """The names of files with fewer blocks than bytes."""
    rows = zip(found.names, found.letters, found.statuses, strict=True)
    return [
        name
        for name, letter, status in rows
        if status.st_size >= _SPARSE_MIN_BYTES and letter == "f" and status.st_blocks * BLOCK_BYTES < status.st_size
    ]
