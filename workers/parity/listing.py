"""Finds the rows of parity on a device, by their directories."""

from __future__ import annotations

import re

from tasks.errors import DamagedError
from tasks.orders.parity import FoundParity, ListParity, ParityList
from workers.devices.base import Device
from workers.devices.keys import PARITY_FOLDER
from workers.devices.trouble import UnreadableError
from workers.format.stored_bytes import StoredBytes
from workers.parity.directory import read_directory

_ROW = re.compile(rf"{PARITY_FOLDER}/([0-9a-f]{{2}})/(\1[0-9a-f]{{30}})\.par")


def list_parity(order: ListParity, *, device: Device) -> ParityList:
    """The rows in the folder of these digits, or which folders have any; whatever else lies there is passed over."""
    if not order.digits:
        matches = map(_ROW.fullmatch, device.list(PARITY_FOLDER))
        return ParityList(digits=tuple(sorted({match[1] for match in matches if match})))
    rows, damaged_count = list[FoundParity](), 0
    for key in device.list(f"{PARITY_FOLDER}/{order.digits}"):
        match = _ROW.fullmatch(key)
        found = _row(device, key, match[2]) if match else None
        if found is not None:
            rows.append(found)
        elif match:
            damaged_count += 1
    return ParityList(rows=tuple(rows), damaged_count=damaged_count)


def _row(device: Device, key: str, group_id: str) -> FoundParity | None:
    try:
        stored = device.open(key)
        if stored is None:
            return None
        with stored:
            directory, digest = read_directory(StoredBytes(stored.read, stored.size_bytes))
            size_bytes = stored.size_bytes
    except (DamagedError, UnreadableError):
        return None
    if directory.group_id != group_id:
        return None
    return FoundParity(
        group_id=group_id,
        row=directory.row,
        rows_count=directory.rows_count,
        members=directory.members,
        stored_bytes=size_bytes,
        digest=digest.hex(),
    )
