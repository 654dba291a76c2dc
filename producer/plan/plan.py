"""The plan of one backup: every byte of every file in one segment, every segment on one device."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from producer.plan.bundles import FILE_COST_BYTES, NO_BUNDLES, BundleRule, add_bundles, bundle_rule
from producer.plan.pieces import add_pieces, grid_bytes
from producer.plan.placement import Loads, NoRoomError, place
from producer.plan.remaining import fill_up, large_entries
from producer.plan.rooms import DeviceRoom, check_rooms, limits_bytes, refusal
from producer.plan.threshold import share_bytes, threshold_bytes
from producer.plan.unplaced import UnplacedSegments
from producer.requests import PlanOptions
from tasks.digests import CELL_BYTES
from tasks.errors import UsageError

#: Segments are cut smaller, down to this fraction of a device's part, before a backup is refused for lack of room.
_FINEST_SHARE = 256


class PlanRequest(Struct, frozen=True, kw_only=True):
    """``sizes`` by entry index: -1 nothing to store, 0 an empty file (in no segment).

    ``source_starts``: the entry index at which each source begins, ascending from 0; the same for two if the first has
    no entry.  Holes are not stored: ``sizes`` has bytes of data, and the plan cuts as if there were no holes between
    them; ``ranges_counts`` has, by entry index, how many ranges of data a file has, if several.  ``expected_ratio``:
    stored bytes for each source byte.  ``bundle_limit_bytes``: the largest file of a bundle, for a plan that continues
    an earlier one whose bundles stay; None: by the rule.  ``extents_bytes`` has, by entry index, the sizes of the
    extents that a file is compared in: pieces are cut between them, and exceed the threshold rather than cut one of a
    cell or less, of which nobody would know the digest of a part.
    """

    sizes: array[int]
    source_starts: Sequence[int]
    rooms: tuple[DeviceRoom, ...]
    options: PlanOptions
    expected_ratio: float = 1.0
    ranges_counts: Mapping[int, int] = field(default_factory=dict)
    bundle_limit_bytes: int | None = None
    extents_bytes: Mapping[int, Sequence[int]] = field(default_factory=dict)


class PlannedSegment(Struct, frozen=True, kw_only=True):
    """One row of a plan; see :class:`producer.plan.unplaced.UnplacedSegments` for bundle and piece."""

    number: int
    device: str
    first_entry: int
    stop_entry: int
    offset_bytes: int
    size_bytes: int
    files_count: int


class Plan(Struct, frozen=True, kw_only=True):
    """Segments in the order of their placement, as columns; ``devices`` indexes ``rooms``.

    ``file_cost_bytes`` is what each file of a segment added to its bytes when devices were compared.
    """

    threshold_bytes: int
    bundle_limit_bytes: int
    file_cost_bytes: int
    rooms: tuple[DeviceRoom, ...]
    devices: array[int]
    first_entries: array[int]
    stop_entries: array[int]
    offsets_bytes: array[int]
    sizes_bytes: array[int]
    files_counts: array[int]

    def __len__(self) -> int:
        return len(self.devices)

    def __iter__(self) -> Iterator[PlannedSegment]:
        return (self.segment(number) for number in range(len(self)))

    def segment(self, number: int) -> PlannedSegment:
        return PlannedSegment(
            number=number,
            device=self.rooms[self.devices[number]].name,
            first_entry=self.first_entries[number],
            stop_entry=self.stop_entries[number],
            offset_bytes=self.offsets_bytes[number],
            size_bytes=self.sizes_bytes[number],
            files_count=self.files_counts[number],
        )

    @property
    def total_bytes(self) -> int:
        return sum(self.sizes_bytes)

    @property
    def loads_bytes(self) -> dict[str, int]:
        """Source bytes for each device, including those that get none."""
        loads = [0] * len(self.rooms)
        for device, size_bytes in zip(self.devices, self.sizes_bytes, strict=True):
            loads[device] += size_bytes
        return {room.name: load for room, load in zip(self.rooms, loads, strict=True)}


def make_plan(request: PlanRequest) -> Plan:
    """The plan for this request; same request, same plan.  No input or output.

    Raises UsageError for an invalid request, DeviceFullError (with the sum) when it does not fit.  A device without
    room for one block takes no part and does not count for the threshold.
    """
    _check(request)
    total_bytes = _total_bytes(request.sizes)
    block_bytes = request.options.block_bytes
    copies = request.options.copies
    # What is planned are first copies; each device keeps room for its part of the others, and of the parity.
    request = replace(request, expected_ratio=request.expected_ratio * parity_factor(request))
    limits = limits_bytes(request.rooms, request.expected_ratio * copies, block_bytes)
    devices_count = sum(map(bool, limits))
    if total_bytes and devices_count <= request.options.parity:
        raise refusal(request.rooms, request.expected_ratio, total_bytes, _too_few_for_parity(request, devices_count))
    if total_bytes and devices_count < copies:
        raise refusal(request.rooms, request.expected_ratio, total_bytes, _too_few(copies, devices_count), copies)
    if total_bytes > sum(limits):
        raise refusal(request.rooms, request.expected_ratio, total_bytes, "the backup does not fit", copies)
    threshold = threshold_bytes(copies * total_bytes, max(1, devices_count))
    largest_bytes = -(-threshold // block_bytes) * block_bytes
    cap_bytes = min(request.options.segment_bytes // block_bytes * block_bytes, largest_bytes)
    finest_bytes = max(block_bytes, threshold // _FINEST_SHARE)
    grid = grid_bytes(threshold, cap_bytes, block_bytes)
    extent_bytes = min(CELL_BYTES, request.options.segment_bytes // block_bytes * block_bytes)
    while True:
        try:
            return _planned(request, threshold, cap_bytes, grid, limits, extent_bytes)
        except NoRoomError as error:
            if max(grid, extent_bytes) > block_bytes:
                grid = extent_bytes = block_bytes
                continue
            if cap_bytes <= finest_bytes:
                why = f"a part of {error.size_bytes} bytes fits on no device"
                raise refusal(request.rooms, request.expected_ratio, total_bytes, why, copies) from None
            cap_bytes = max(1, cap_bytes // (2 * block_bytes)) * block_bytes


def parity_factor(request: PlanRequest) -> float:
    """How much more is stored with the parity: M rows for each n - M objects."""
    devices_count = len(request.rooms)
    return devices_count / max(1, devices_count - request.options.parity)


def _too_few_for_parity(request: PlanRequest, devices_count: int) -> str:
    needed_count = request.options.parity + 1
    return f"--parity {request.options.parity} needs {needed_count} devices with room, and there are {devices_count}"


def _too_few(copies: int, devices_count: int) -> str:
    return f"{copies} copies need as many devices with room, and there are {devices_count}"


def _planned(
    request: PlanRequest, threshold: int, cap_bytes: int, grid: int, limits: Sequence[int], extent_bytes: int
) -> Plan:
    options = request.options
    remaining, descending = options.split == "remaining", options.order == "descending"
    # The space left on a device is counted in bytes; otherwise a device is as full as it is busy.
    file_cost_bytes = FILE_COST_BYTES if options.bundle and not remaining else 0
    rule = _bundle_rule(request, min(cap_bytes, threshold), sum(map(bool, limits)))
    segments = _segments(request, rule, threshold, cap_bytes, grid, extent_bytes)
    loads = Loads.balanced(options.balance, request.rooms, limits, request.expected_ratio)
    devices = place(segments, loads, file_cost_bytes=file_cost_bytes, descending=descending)
    if remaining:
        fill_up(
            segments,
            devices,
            loads,
            sizes=request.sizes,
            # The bundle limit of an earlier plan may exceed the threshold of what is left to plan.
            entries=[
                entry
                for entry in large_entries(
                    request.sizes, above_bytes=max(threshold, rule.limit_bytes), descending=descending
                )
                if entry not in request.extents_bytes
            ],
            cap_bytes=min(cap_bytes // grid * grid, share_bytes(threshold, grid)),
            block_bytes=grid,
        )
    return Plan(
        threshold_bytes=threshold,
        bundle_limit_bytes=rule.limit_bytes,
        file_cost_bytes=file_cost_bytes,
        rooms=request.rooms,
        devices=devices,
        first_entries=segments.first_entries,
        stop_entries=segments.stop_entries,
        offsets_bytes=segments.offsets_bytes,
        sizes_bytes=segments.sizes_bytes,
        files_counts=segments.files_counts,
    )


def _total_bytes(sizes: array[int]) -> int:
    # sum and count run in C: a loop over ten million entries would take half a second.
    return sum(sizes) + sizes.count(-1)


def _files_count(sizes: array[int]) -> int:
    """The number of files with something to store."""
    return len(sizes) - sizes.count(0) - sizes.count(-1)


def _bundle_rule(request: PlanRequest, cap_bytes: int, available_count: int) -> BundleRule:
    if not request.options.bundle:
        return NO_BUNDLES
    cost_bytes = _total_bytes(request.sizes) + _files_count(request.sizes) * FILE_COST_BYTES
    rule = bundle_rule(
        device_cost_bytes=cost_bytes // max(1, available_count),
        cap_bytes=cap_bytes,
        unit_bytes=request.options.unit_bytes,
    )
    return rule if request.bundle_limit_bytes is None else rule.with_limit(request.bundle_limit_bytes)


def _segments(
    request: PlanRequest, rule: BundleRule, threshold: int, cap_bytes: int, grid: int, extent_bytes: int
) -> UnplacedSegments:
    """Bundles, then pieces; for method 2 without the new files above the threshold, which are cut later."""
    segments = UnplacedSegments()
    if rule.limit_bytes:
        add_bundles(segments, request.sizes, request.source_starts, rule, request.ranges_counts)
    add_pieces(
        segments,
        request.sizes,
        request.extents_bytes,
        above_bytes=rule.limit_bytes,
        up_to_bytes=threshold if request.options.split == "remaining" else None,
        threshold_bytes=threshold,
        cap_bytes=cap_bytes,
        grid_bytes=grid,
        extent_bytes=extent_bytes,
    )
    return segments


def _check(request: PlanRequest) -> None:
    check_rooms(request.rooms)
    options, starts = request.options, request.source_starts
    if options.block_bytes < 1 or options.segment_bytes < options.block_bytes:
        raise UsageError(
            f"segments of at most {options.segment_bytes} bytes cannot be cut at blocks of {options.block_bytes}",
            hint="give a --segment-size of at least one block",
        )
    if not request.expected_ratio > 0:
        raise UsageError(f"expected ratio {request.expected_ratio} is not above 0")
    if min(request.sizes, default=0) < -1:
        raise UsageError(f"a file of {min(request.sizes)} bytes: sizes are -1 (nothing stored), 0 or more")
    if list(starts) != sorted(starts) or (starts and (starts[0] != 0 or starts[-1] > len(request.sizes))):
        raise UsageError(f"sources must start at ascending entries from 0, not {list(starts)}")
