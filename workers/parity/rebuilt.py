"""A stored object that is missing or damaged, read stripe by stripe from the others of its group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from threading import Lock

from msgspec import Struct

from tasks.errors import DamagedError, DeviceError
from tasks.groups import STRIPE_BYTES
from workers.devices.base import Device, StoredObject
from workers.devices.keys import object_key, parity_key
from workers.format.stored_bytes import StoredBytes
from workers.parity.code import code_of
from workers.parity.directory import Directory, read_directory, stripe_digest


class _Piece(Struct, frozen=True, kw_only=True):
    """A file of the group that is there.  ``directory``: the one that has the digests of its stripes."""

    place: int
    column: int
    stored: StoredObject
    directory: Directory


class RebuiltObject:
    """See :class:`workers.devices.base.StoredObject`.

    Takes each stripe from the object itself where that is there and whole, else from as many others as it has members.
    Nothing is taken from a piece that does not have its digest.
    """

    def __init__(self, group_id: str, object_id: str, devices: Sequence[Device]) -> None:
        """Raises DamagedError when the group is not to be found, or does not have the object."""
        self._opened = ExitStack()
        try:
            self._pieces = self._open_all(group_id, devices)
            directory = next((piece.directory for piece in self._pieces), None)
            ids = [] if directory is None else [member.object_id for member in directory.members]
            if directory is None or object_id not in ids:
                raise DamagedError(f"object {object_id}: no available device has parity for it")
        except BaseException:
            self._opened.close()
            raise
        self._directory = directory
        self._place = ids.index(object_id)
        self._object_id = object_id
        self.size_bytes = directory.members[self._place].stored_bytes
        self._lock = Lock()
        self._cached: tuple[int, bytes] = (-1, b"")

    def __enter__(self) -> RebuiltObject:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._opened.close()

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        stop_bytes = min(offset_bytes + size_bytes, self.size_bytes)
        parts = []
        while offset_bytes < stop_bytes:
            stripe, start_bytes = divmod(offset_bytes, STRIPE_BYTES)
            part = self._stripe(stripe)[start_bytes : start_bytes + stop_bytes - offset_bytes]
            parts.append(part)
            offset_bytes += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _stripe(self, stripe: int) -> bytes:
        with self._lock:
            if self._cached[0] != stripe:
                self._cached = stripe, self._rebuilt(stripe)
            return self._cached[1]

    def _rebuilt(self, stripe: int) -> bytes:
        members_count = len(self._directory.members)
        length = min(STRIPE_BYTES, self._directory.size_bytes - stripe * STRIPE_BYTES)
        own = next((data for place, data in self._whole(stripe, only=self._place)), None)
        if own is not None:
            return own
        others: dict[int, bytes] = {}
        for place, data in self._whole(stripe):
            others[place] = data.ljust(length, b"\0")
            if len(others) == members_count:
                break
        else:
            raise DamagedError(
                f"object {self._object_id}: {len(others)} of the {members_count} pieces are left that its parity needs"
            )
        data = code_of(members_count, self._directory.rows_count).piece(self._place, others)
        data = data[: max(0, self.size_bytes - stripe * STRIPE_BYTES)]
        if stripe_digest(data) != self._directory.digest(stripe, self._place):
            raise DamagedError(f"object {self._object_id}: its parity gives something else than was stored")
        return data

    def _whole(self, stripe: int, only: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Place and content of this stripe in each piece where it is whole, without padding."""
        seen: set[int] = set()
        for piece in self._pieces:
            if piece.place in seen or (only is None) == (piece.place == self._place):
                continue
            size_bytes = _data_bytes(piece)
            length = max(0, min(STRIPE_BYTES, size_bytes - stripe * STRIPE_BYTES))
            try:
                data = piece.stored.read(stripe * STRIPE_BYTES, length) if length else b""
            except DeviceError:
                continue
            if stripe_digest(data) == piece.directory.digest(stripe, piece.column):
                seen.add(piece.place)
                yield piece.place, data

    def _open_all(self, group_id: str, devices: Sequence[Device]) -> list[_Piece]:
        rows: list[_Piece] = []
        for device in devices:
            stored = _opened(device, parity_key(group_id))
            if stored is None:
                continue
            self._opened.enter_context(stored)
            try:
                directory, _ = read_directory(StoredBytes(stored.read, stored.size_bytes))
            except (DamagedError, DeviceError):
                continue
            column = len(directory.members)
            if directory.group_id == group_id:
                rows.append(_Piece(place=column + directory.row, column=column, stored=stored, directory=directory))
        if not rows:
            return []
        # A directory that contradicts the others of its group is that of another one.
        ((most, _),) = Counter(row.directory.members for row in rows).most_common(1)
        agreed = [row for row in rows if row.directory.members == most]
        return self._open_members(agreed[0].directory, devices) + agreed

    def _open_members(self, directory: Directory, devices: Sequence[Device]) -> list[_Piece]:
        found = []
        for place, member in enumerate(directory.members):
            for device in devices:
                stored = _opened(device, object_key(member.object_id))
                if stored is not None:
                    self._opened.enter_context(stored)
                    found.append(_Piece(place=place, column=place, stored=stored, directory=directory))
        return found


def _data_bytes(piece: _Piece) -> int:
    if piece.place == piece.column and piece.place < len(piece.directory.members):
        return piece.directory.members[piece.place].stored_bytes
    return piece.directory.size_bytes


def _opened(device: Device, key: str) -> StoredObject | None:
    """None also when it cannot be opened: the others of the group make up for it."""
    try:
        return device.open(key)
    except DeviceError:
        return None
