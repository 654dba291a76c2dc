"""What the walk saw of the files that an order names: how it travels, and what of it must hold when they are read.

Without it, who swaps a file between walk and read gives his content the owner and mode of another.  26 bytes for each
file, by columns, since most of them repeat: compressed they take no more than the times alone would.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
import struct
import zlib
from collections.abc import Sequence
from operator import eq
from typing import Annotated

from msgspec import Meta, Struct

from tasks.sources.mtimes import is_same_time, packable
from tasks.values import MAX_EXTENTS

_FILE_BYTES = 26
_SET_ID = stat.S_ISUID | stat.S_ISGID

#: Base64 of the compressed columns; "" for none.
PackedStates = Annotated[str, Meta(max_length=MAX_EXTENTS * _FILE_BYTES * 3 // 2 + 1024)]


class WalkedStates(Struct, frozen=True, kw_only=True):
    """Columns of one length, a row for each extent of the order."""

    mtimes_ns: Sequence[int]
    ctimes_ns: Sequence[int]
    #: Without the bits of the type: only regular files are read.
    modes: Sequence[int]
    uids: Sequence[int]
    gids: Sequence[int]

    def __len__(self) -> int:
        return len(self.mtimes_ns)

    def at(self, places: Sequence[int]) -> WalkedStates:
        """Those of the files at these indexes, in this order."""
        if len(places) == len(self) and all(map(eq, places, range(len(self)))):
            return self
        return WalkedStates(
            mtimes_ns=[self.mtimes_ns[place] for place in places],
            ctimes_ns=[self.ctimes_ns[place] for place in places],
            modes=[self.modes[place] for place in places],
            uids=[self.uids[place] for place in places],
            gids=[self.gids[place] for place in places],
        )

    def difference(
        self, index: int, status: os.stat_result, *, is_same_view: bool, is_piece: bool, keeps_ctime: bool = False
    ) -> str:
        """Why the file is not the one that the walk saw; "" when nothing says otherwise.

        ``is_same_view``: reader and walk see the same mount of the same host.  Elsewhere owners may have other numbers,
        so only a file with set-id bits must have its owner and mode; the time of change counts where the view
        ``keeps_ctime``, and it changes with owner and mode.
        A file with segments of its own (``is_piece``) may have been written since: its receipts tell when.
        """
        mode, is_written = self.modes[index], not _same(self.mtimes_ns[index], status.st_mtime_ns)
        if is_written and (not is_piece or mode & _SET_ID):
            return "was written or replaced after the walk; the snapshot has its earlier time"
        walked, found = (
            (mode, self.uids[index], self.gids[index]),
            (status.st_mode & 0o7777, status.st_uid, status.st_gid),
        )
        if (is_same_view or mode & _SET_ID) and walked != found:
            return "has another owner or mode than at the walk, or was replaced"
        if (is_same_view or keeps_ctime) and not is_written and not _same(self.ctimes_ns[index], status.st_ctime_ns):
            return "was changed or replaced after the walk, though its time of writing is the same"
        return ""

    def shows_ctime(self, index: int, status: os.stat_result) -> bool:
        """Whether this file proves that its view keeps times of change: its own is the walk's, but not its mtime."""
        mtime_ns, ctime_ns = self.mtimes_ns[index], self.ctimes_ns[index]
        is_walked = _same(mtime_ns, status.st_mtime_ns) and _same(ctime_ns, status.st_ctime_ns)
        return is_walked and not _same(mtime_ns, ctime_ns)


def pack_states(states: WalkedStates) -> str:
    """The states as one text."""
    if not len(states):
        return ""
    times = [map(packable, column) for column in (states.mtimes_ns, states.ctimes_ns)]
    count = len(states)
    columns = struct.pack(
        f"<{2 * count}q{2 * count}I{count}H", *times[0], *times[1], *states.uids, *states.gids, *states.modes
    )
    return base64.b64encode(zlib.compress(columns, 1)).decode("ascii")


def unpack_states(text: str, count: int) -> WalkedStates | None:
    """The ``count`` states in a text of :func:`pack_states`; None for "".  Raises ValueError for any other text."""
    if not text:
        return None
    try:
        unpacker = zlib.decompressobj()
        columns = unpacker.decompress(base64.b64decode(text, validate=True), count * _FILE_BYTES + 1)
    except (zlib.error, binascii.Error) as error:
        raise ValueError("packed states are damaged") from error
    if len(columns) != count * _FILE_BYTES or not unpacker.eof or unpacker.unused_data:
        raise ValueError("states and extents differ in number")
    row = struct.unpack(f"<{2 * count}q{2 * count}I{count}H", columns)
    parts = [row[start : start + count] for start in range(0, 5 * count, count)]
    return WalkedStates(mtimes_ns=parts[0], ctimes_ns=parts[1], uids=parts[2], gids=parts[3], modes=parts[4])


def _same(walked_ns: int, read_ns: int) -> bool:
    return walked_ns == read_ns or is_same_time(walked_ns, read_ns)
