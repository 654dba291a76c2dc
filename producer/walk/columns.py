"""Columns of a batch that only some of its entries have."""

from __future__ import annotations

from base64 import b64encode

from producer.walk.found import Found
from tasks.sources.metadata import Attributes


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


def data_ranges_of(found: Found) -> dict[str, list[tuple[int, int]]]:
    """Where files have data that may have holes; a further name of a file has none."""
    if not found.data_ranges:
        return {}
    rows = zip(found.names, found.letters, strict=True)
    return {name: found.data_ranges[name] for name, letter in rows if letter == "f" and name in found.data_ranges}
