"""Packs small files, in path order, into bundles."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

from msgspec import Struct

from producer.plan.unplaced import UnplacedSegments
from tasks.values import MAX_EXTENTS

#: The cost of opening, reading and closing one file, or one range of a file with holes, in bytes that one thread
#: compresses in that time.  Measured by benchmarks/plan-constants: 2 to 3 KiB with cached pages, 24 KiB from a disk,
#: most of it hidden by other threads.
FILE_COST_BYTES = 4 * 1024

#: A device's part consists of about this many bundles: few, because each costs 10 ms besides its bytes, but enough that
#: devices end together, because the smaller ones come last.
_BUNDLES_PER_DEVICE = 16

#: Below this, neighbours compress worse: docs/plan.md, "How large a bundle is".  In a tree so small that this is
#: more than a quarter of the threshold, spreading matters more than compression.
_MIN_BUNDLE_BYTES = 4 * 1024 * 1024
_MIN_BUNDLES_PER_DEVICE = 4

#: Larger bundles only make failures more expensive: units are compressed one by one anyway.
_MAX_BUNDLE_UNITS = 4


class BundleRule(Struct, frozen=True, kw_only=True):
    """How small files are packed.

    ``limit_bytes``: the largest file that goes into a bundle; 0: no bundles.  A bundle ends with the file that brings
    it to ``target_bytes`` or to ``target_cost_bytes`` (:data:`FILE_COST_BYTES` for each file besides the bytes), so its
    bytes stay below target + limit.
    """

    limit_bytes: int
    target_bytes: int
    target_cost_bytes: int

    def with_limit(self, limit_bytes: int) -> BundleRule:
        """The same rule for files up to another size."""
        if limit_bytes == 0:
            return NO_BUNDLES
        return BundleRule(
            limit_bytes=limit_bytes,
            target_bytes=max(1, self.target_bytes + self.limit_bytes - limit_bytes),
            target_cost_bytes=max(1, self.target_cost_bytes + self.limit_bytes - limit_bytes),
        )


NO_BUNDLES = BundleRule(limit_bytes=0, target_bytes=0, target_cost_bytes=0)


def bundle_rule(*, device_cost_bytes: int, cap_bytes: int, unit_bytes: int) -> BundleRule:
    """The rule when each device's part of all files costs ``device_cost_bytes``; no bundle exceeds ``cap_bytes``."""
    least_bytes = min(_MIN_BUNDLE_BYTES, device_cost_bytes // _MIN_BUNDLES_PER_DEVICE)
    wanted_bytes = max(least_bytes, device_cost_bytes // _BUNDLES_PER_DEVICE)
    largest_cost_bytes = min(wanted_bytes, _MAX_BUNDLE_UNITS * unit_bytes)
    limit_bytes = min(largest_cost_bytes // 5, cap_bytes // 5, unit_bytes // 2)
    return BundleRule(
        limit_bytes=limit_bytes,
        target_bytes=cap_bytes - limit_bytes,
        target_cost_bytes=largest_cost_bytes - limit_bytes,
    )


def add_bundles(
    segments: UnplacedSegments,
    sizes: array[int],
    source_starts: Sequence[int],
    rule: BundleRule,
    ranges_counts: Mapping[int, int],
) -> None:
    """Append the bundles of all sources, in walk order; none crosses a source.

    ``ranges_counts``: by entry, how many extents a file has that has several.
    """
    stops = [*source_starts[1:], len(sizes)]
    for start_entry, stop_entry in zip(source_starts, stops, strict=True):
        _add_bundles_of_source(segments, sizes, start_entry, stop_entry, rule, ranges_counts)


def _add_bundles_of_source(
    segments: UnplacedSegments,
    sizes: array[int],
    start_entry: int,
    stop_entry: int,
    rule: BundleRule,
    ranges_counts: Mapping[int, int],
) -> None:
    limit_bytes, target_bytes, target_cost_bytes = rule.limit_bytes, rule.target_bytes, rule.target_cost_bytes
    first_entry = last_entry = start_entry
    bundle_bytes = files_count = extents_count = 0
    for entry in range(start_entry, stop_entry):
        size_bytes = sizes[entry]
        if not 0 < size_bytes <= limit_bytes:
            continue
        count = ranges_counts.get(entry, 1) if ranges_counts else 1
        if extents_count + count > MAX_EXTENTS:
            segments.append(first_entry, last_entry + 1, 0, bundle_bytes, files_count)
            bundle_bytes = files_count = extents_count = 0
        if not files_count:
            first_entry = entry
        last_entry = entry
        bundle_bytes += size_bytes
        files_count += 1
        extents_count += count
        cost_bytes = bundle_bytes + extents_count * FILE_COST_BYTES
        if bundle_bytes >= target_bytes or cost_bytes >= target_cost_bytes:
            segments.append(first_entry, entry + 1, 0, bundle_bytes, files_count)
            bundle_bytes = files_count = extents_count = 0
    if files_count:
        segments.append(first_entry, last_entry + 1, 0, bundle_bytes, files_count)
