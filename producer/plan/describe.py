"""A plan in numbers that people can judge."""

from __future__ import annotations

import heapq
from array import array

from msgspec import Struct

from producer.plan.plan import Plan


class DeviceShare(Struct, frozen=True, kw_only=True):
    """What one device gets.  ``share`` is its fraction of all bytes; a cut file counts on each of its devices."""

    device: str
    bytes_source: int
    files_count: int
    segments_count: int
    share: float


class Item(Struct, frozen=True, kw_only=True):
    """A file (whole or in pieces) or a bundle.  ``devices`` are in the order of their first segment of it."""

    first_entry: int
    size_bytes: int
    files_count: int
    segments_count: int
    devices: tuple[str, ...]


class PlanDescription(Struct, frozen=True, kw_only=True):
    """``spread``: (largest - smallest load) / mean load, in bytes.  ``largest``: items, the largest first.

    ``cost_spread``: the spread with ``file_cost_bytes`` added for each file, by which devices are balanced.
    """

    threshold_bytes: int
    bundle_limit_bytes: int
    file_cost_bytes: int
    bytes_source: int
    files_count: int
    segments_count: int
    largest_segment_bytes: int
    lower_bound_bytes: int
    spread: float
    cost_spread: float
    devices: tuple[DeviceShare, ...]
    largest: tuple[Item, ...]

    @property
    def largest_load_bytes(self) -> int:
        return max(share.bytes_source for share in self.devices)


def describe(plan: Plan, *, largest_count: int = 5) -> PlanDescription:
    """The numbers of ``plan``.  Takes 12 bytes per entry and a few passes over its columns."""
    items = _Items(plan)
    loads_bytes = plan.loads_bytes
    total_bytes = sum(loads_bytes.values())
    return PlanDescription(
        threshold_bytes=plan.threshold_bytes,
        bundle_limit_bytes=plan.bundle_limit_bytes,
        file_cost_bytes=plan.file_cost_bytes,
        bytes_source=total_bytes,
        files_count=items.files_count(),
        segments_count=len(plan),
        largest_segment_bytes=max(plan.sizes_bytes, default=0),
        lower_bound_bytes=lower_bound_bytes(plan.sizes_bytes, len(plan.rooms)),
        spread=spread(list(loads_bytes.values())),
        cost_spread=spread(_costs_bytes(plan)),
        devices=_shares(plan, items, total_bytes),
        largest=items.largest(largest_count),
    )


def lower_bound_bytes(sizes_bytes: array[int], devices_count: int) -> int:
    """A lower bound for the load of the fullest device, wherever these segments go.

    The largest of three: the mean load; the largest segment; and the sum of the two smallest of the
    ``devices_count + 1`` largest segments, because two of these must share a device.
    """
    mean_bytes = -(-sum(sizes_bytes) // devices_count)
    largest = heapq.nlargest(devices_count + 1, sizes_bytes)
    pair_bytes = sum(largest[-2:]) if len(largest) > devices_count else 0
    return max(mean_bytes, pair_bytes, *largest[:1])


def spread(loads_bytes: list[int]) -> float:
    """(max - min) / mean; 0 when nothing is stored."""
    total_bytes = sum(loads_bytes)
    return (max(loads_bytes) - min(loads_bytes)) * len(loads_bytes) / total_bytes if total_bytes else 0.0


def _costs_bytes(plan: Plan) -> list[int]:
    costs_bytes = [0] * len(plan.rooms)
    for device, size_bytes, files_count in zip(plan.devices, plan.sizes_bytes, plan.files_counts, strict=True):
        costs_bytes[device] += size_bytes + files_count * plan.file_cost_bytes
    return costs_bytes


class _Items:
    """Bytes and segments of each item, by its first entry, which is unique."""

    def __init__(self, plan: Plan) -> None:
        entries_count = max(plan.stop_entries, default=0)
        self._plan = plan
        self._sizes_bytes = array("q", bytes(8 * entries_count))
        self.segments_counts = array("I", bytes(4 * entries_count))
        for entry, size_bytes in zip(plan.first_entries, plan.sizes_bytes, strict=True):
            self._sizes_bytes[entry] += size_bytes
            self.segments_counts[entry] += 1

    def files_count(self) -> int:
        cut_count = sum(count > 1 for count in self.segments_counts)
        columns = zip(self._plan.first_entries, self._plan.files_counts, strict=True)
        return cut_count + sum(files for entry, files in columns if self.segments_counts[entry] == 1)

    def largest(self, count: int) -> tuple[Item, ...]:
        entries = heapq.nlargest(count, range(len(self._sizes_bytes)), key=self._sizes_bytes.__getitem__)
        devices: dict[int, dict[str, None]] = {entry: {} for entry in entries if self._sizes_bytes[entry]}
        files = dict.fromkeys(devices, 1)
        plan = self._plan
        for entry, device, files_count in zip(plan.first_entries, plan.devices, plan.files_counts, strict=True):
            if entry in devices:
                devices[entry][plan.rooms[device].name] = None
                files[entry] = files_count
        return tuple(
            Item(
                first_entry=entry,
                size_bytes=self._sizes_bytes[entry],
                files_count=files[entry],
                segments_count=self.segments_counts[entry],
                devices=tuple(names),
            )
            for entry, names in devices.items()
        )


def _shares(plan: Plan, items: _Items, total_bytes: int) -> tuple[DeviceShare, ...]:
    devices_count = len(plan.rooms)
    segments_counts, files_counts = [0] * devices_count, [0] * devices_count
    cut_files = set()
    for entry, device, files_count in zip(plan.first_entries, plan.devices, plan.files_counts, strict=True):
        segments_counts[device] += 1
        if items.segments_counts[entry] == 1:
            files_counts[device] += files_count
        elif (entry, device) not in cut_files:
            cut_files.add((entry, device))
            files_counts[device] += 1
    return tuple(
        DeviceShare(
            device=name,
            bytes_source=load_bytes,
            files_count=files_count,
            segments_count=segments_count,
            share=load_bytes / total_bytes if total_bytes else 0.0,
        )
        for (name, load_bytes), files_count, segments_count in zip(
            plan.loads_bytes.items(), files_counts, segments_counts, strict=True
        )
    )
