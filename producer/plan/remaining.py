"""Method 2: cuts large files to fit exactly the space that the small ones have left on each device."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Sequence

from msgspec import Struct

from producer.plan.pieces import equal_pieces
from producer.plan.placement import Loads, NoRoomError
from producer.plan.unplaced import UnplacedSegments

#: Halvings of the interval that holds the common level: 64 reduce 2**63 bytes to below one byte.
_HALVINGS_COUNT = 64


class _LargeFile(Struct, frozen=True, kw_only=True):
    entry: int
    blocks_count: int
    #: The part of a block at the file's end, and the device that takes it after its blocks of this file.
    tail_bytes: int
    last_device: int


def large_entries(sizes: array[int], *, above_bytes: int, descending: bool) -> list[int]:
    """Entries of the files above the threshold, sorted; fewer than there are devices."""
    entries = [entry for entry, size_bytes in enumerate(sizes) if size_bytes > above_bytes]
    return sorted(entries, key=sizes.__getitem__, reverse=descending)


def fill_up(
    segments: UnplacedSegments,
    devices: array[int],
    loads: Loads,
    *,
    sizes: Sequence[int],
    entries: Sequence[int],
    cap_bytes: int,
    block_bytes: int,
) -> None:
    """Append the files of ``entries``, cut so that all devices end within one block (or cell) of each other.

    That does not hold for a device that is above the common level before, or has no room for its share.  Raises
    NoRoomError.  The end of each file, less than a block, goes to the least-filled devices first; whole blocks then
    bring all devices to one level, with cuts between blocks only.
    """
    files = _give_tails(loads, sizes, entries, block_bytes)
    wanted = _blocks_to_level(loads, sum(file.blocks_count for file in files), block_bytes)
    last_devices = [file.last_device for file in files]
    for file in files:
        last_devices.remove(file.last_device)
        # The last devices of later files go last, so that each still has blocks for its own file.
        order = sorted(range(len(loads)), key=lambda device: (device in last_devices, device))
        offset_bytes = 0
        for device, blocks_count in _shares(file, order, wanted):
            size_bytes = blocks_count * block_bytes
            stop_bytes = offset_bytes + size_bytes + (file.tail_bytes if device == file.last_device else 0)
            for piece_offset_bytes, piece_bytes in equal_pieces(offset_bytes, stop_bytes, cap_bytes, block_bytes):
                segments.append(file.entry, file.entry + 1, piece_offset_bytes, piece_bytes, 1)
                devices.append(device)
            wanted[device] -= blocks_count
            loads.add(device, size_bytes, size_bytes)
            offset_bytes = stop_bytes


def _give_tails(loads: Loads, sizes: Sequence[int], entries: Sequence[int], block_bytes: int) -> list[_LargeFile]:
    """Assigns each file's last bytes to the least-filled devices, if possible to another one for each file."""
    files = []
    devices = sorted(range(len(loads)), key=lambda device: (loads.level(device), device))
    for entry in entries:
        blocks_count, tail_bytes = divmod(sizes[entry], block_bytes)
        device = next((device for device in devices if loads.room_bytes(device) >= tail_bytes), None)
        if device is None:
            raise NoRoomError(tail_bytes)
        devices.remove(device)
        devices.append(device)
        loads.add(device, tail_bytes, tail_bytes)
        files.append(_LargeFile(entry=entry, blocks_count=blocks_count, tail_bytes=tail_bytes, last_device=device))
    return files


def _blocks_to_level(loads: Loads, blocks_count: int, block_bytes: int) -> list[int]:
    """How many of ``blocks_count`` blocks each device takes: as if each went to the then least-filled device.

    Finds the common level by halving; blocks that its rounding leaves over are assigned one by one.
    """
    rooms = [max(0, loads.room_bytes(device)) // block_bytes for device in range(len(loads))]
    if sum(rooms) < blocks_count:
        raise NoRoomError(blocks_count * block_bytes)

    def up_to(level: float) -> list[int]:
        return [
            min(room, max(0, int(level * scale - start_bytes - cost_bytes) // block_bytes))
            for room, scale, start_bytes, cost_bytes in zip(
                rooms, loads.scales, loads.starts_bytes, loads.costs_bytes, strict=True
            )
        ]

    low: float = 0
    high: float = max(map(loads.level, range(len(loads)))) + blocks_count * block_bytes / min(loads.scales)
    for _ in range(_HALVINGS_COUNT):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(up_to(middle)) <= blocks_count else (low, middle)
    wanted = up_to(low)
    _give_out_rest(loads, wanted, rooms, blocks_count - sum(wanted), block_bytes)
    return wanted


def _give_out_rest(loads: Loads, wanted: list[int], rooms: list[int], rest_count: int, block_bytes: int) -> None:
    def level(device: int) -> float:
        return loads.level(device) + wanted[device] * block_bytes / loads.scales[device]

    heap = [(level(device), device) for device, room in enumerate(rooms) if wanted[device] < room]
    heapq.heapify(heap)
    for _ in range(rest_count):
        device = heapq.heappop(heap)[1]
        wanted[device] += 1
        if wanted[device] < rooms[device]:
            heapq.heappush(heap, (level(device), device))


def _shares(file: _LargeFile, order: Sequence[int], wanted: Sequence[int]) -> list[tuple[int, int]]:
    """The file's blocks, device by device up to the number that each takes; the last device comes last."""
    kept_count = min(wanted[file.last_device], file.blocks_count)
    left_count = file.blocks_count - kept_count
    shares = []
    for device in order:
        blocks_count = min(wanted[device], left_count)
        if device != file.last_device and blocks_count:
            shares.append((device, blocks_count))
            left_count -= blocks_count
    if kept_count or file.tail_bytes:
        shares.append((file.last_device, kept_count))
    return shares
