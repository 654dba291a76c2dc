"""Packing small files, in path order, into bundles."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from producer.plan.segments import Segments
from tasks.values import MAX_EXTENTS

#: What opening, statting and closing one file costs, in bytes that could be stored in that time:
#: docs/plan.md, "What a file costs" (measured by benchmarks/plan).
FILE_COST_BYTES = 4 * 1024

#: A device's share is made of about this many bundles, so that one bundle too many is 6 % of it.
_BUNDLES_PER_DEVICE = 16

#: Below this, neighbours compress worse: docs/plan.md, "How large a bundle is".
_MIN_BUNDLE_BYTES = 1024 * 1024

#: Above this a bundle only makes a failure dearer: its units are compressed one by one in any case.
_MAX_BUNDLE_UNITS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class BundleRule:
    """How small files are packed.

    ``limit_bytes``: the largest file that goes into a bundle; 0: there are no bundles.
    ``target_cost_bytes``: the cost (bytes, and :data:`FILE_COST_BYTES` for each file) at which a bundle ends.
    The file that crosses the target still belongs to it: a bundle's bytes stay below target + limit.
    """

    limit_bytes: int
    target_cost_bytes: int


NO_BUNDLES = BundleRule(limit_bytes=0, target_cost_bytes=0)


def bundle_rule(*, threshold_bytes: int, cap_bytes: int, unit_bytes: int) -> BundleRule:
    """The rule for this threshold; no bundle will exceed the threshold or the cap."""
    wanted_bytes = max(_MIN_BUNDLE_BYTES, threshold_bytes // _BUNDLES_PER_DEVICE)
    largest_bytes = min(wanted_bytes, _MAX_BUNDLE_UNITS * unit_bytes, threshold_bytes, cap_bytes)
    limit_bytes = min(largest_bytes // 5, unit_bytes // 2)
    return BundleRule(limit_bytes=limit_bytes, target_cost_bytes=largest_bytes - limit_bytes)


def add_bundles(segments: Segments, sizes: array[int], source_starts: Sequence[int], rule: BundleRule) -> None:
    """Append the bundles of all sources, in walk order; none crosses a source."""
    stops = [*source_starts[1:], len(sizes)]
    for start_entry, stop_entry in zip(source_starts, stops, strict=True):
        _add_bundles_of_source(segments, sizes, start_entry, stop_entry, rule)


def _add_bundles_of_source(
    segments: Segments, sizes: array[int], start_entry: int, stop_entry: int, rule: BundleRule
) -> None:
    limit_bytes, target_bytes = rule.limit_bytes, rule.target_cost_bytes
    first_entry = last_entry = start_entry
    bundle_bytes = files_count = 0
    for entry in range(start_entry, stop_entry):
        size_bytes = sizes[entry]
        if not 0 < size_bytes <= limit_bytes:
            continue
        if bundle_bytes + files_count * FILE_COST_BYTES >= target_bytes or files_count == MAX_EXTENTS:
            segments.append(first_entry, last_entry + 1, 0, bundle_bytes, files_count)
            bundle_bytes = files_count = 0
        if not files_count:
            first_entry = entry
        last_entry = entry
        bundle_bytes += size_bytes
        files_count += 1
    if files_count:
        segments.append(first_entry, last_entry + 1, 0, bundle_bytes, files_count)
