"""The directory at the end of a parity object: whose parity it is, and what every stripe of it was."""

from __future__ import annotations

import base64
import binascii
import struct
from typing import Any

from blake3 import blake3
from msgspec import Struct

from tasks.errors import DamagedError, MessageError
from tasks.groups import MAX_MEMBERS, MAX_ROWS, STRIPE_BYTES, GroupMember
from tasks.wire import decode, encode
from workers.format.envelope import PARITY, digest_of, encode_envelope, read_envelope
from workers.format.stored_bytes import StoredBytes

#: Ends the file: the size of the directory before it, and a magic number.
FOOTER = struct.Struct("<Q8s")
_MAGIC = b"SEGFPEND"

#: 128 bits of BLAKE3, as elsewhere for content.
DIGEST_BYTES = 16


class Directory(Struct, frozen=True, kw_only=True):
    """``digests``: of each stripe, in order, those of all members and that of the row itself."""

    group_id: str
    row: int
    rows_count: int
    members: tuple[GroupMember, ...]
    digests: bytes

    def __post_init__(self) -> None:
        is_bounded = 0 < len(self.members) <= MAX_MEMBERS and 0 <= self.row < self.rows_count <= MAX_ROWS
        expected_bytes = self.stripes_count * (len(self.members) + 1) * DIGEST_BYTES
        if not is_bounded or len(self.digests) != expected_bytes:
            raise DamagedError("the directory of a parity object contradicts itself")

    @property
    def size_bytes(self) -> int:
        """Of the parity: as long as the longest member."""
        return max(member.stored_bytes for member in self.members)

    @property
    def stripes_count(self) -> int:
        return -(-self.size_bytes // STRIPE_BYTES)

    def digest(self, stripe: int, column: int) -> bytes:
        """Column: the place of a member, or after these the row's own."""
        start = (stripe * (len(self.members) + 1) + column) * DIGEST_BYTES
        return self.digests[start : start + DIGEST_BYTES]


def stripe_digest(data: bytes) -> bytes:
    return blake3(data).digest(length=DIGEST_BYTES)


def encode_directory(directory: Directory) -> tuple[bytes, bytes]:
    """What ends the file, and the digest that proves all of it."""
    frame = encode_envelope(
        PARITY,
        {
            "group_id": directory.group_id,
            "row": directory.row,
            "rows_count": directory.rows_count,
            "stripe_bytes": STRIPE_BYTES,
            "members": [encode(member) for member in directory.members],
            "digests": base64.b64encode(directory.digests).decode("ascii"),
        },
    )
    return frame + FOOTER.pack(len(frame), _MAGIC), digest_of(frame)


def read_directory(stored: StoredBytes, digest: bytes | None = None) -> tuple[Directory, bytes]:
    """The directory of a parity object, and its digest; the one of this ``digest``, if it is known.

    Raises DamagedError, and DeviceError for one of a later version.
    """
    frame_bytes, magic = FOOTER.unpack(stored.read(max(0, stored.size_bytes - FOOTER.size), FOOTER.size))
    start_bytes = stored.size_bytes - FOOTER.size - frame_bytes
    if magic != _MAGIC or start_bytes < 0:
        raise DamagedError("it does not end as a parity object does")
    envelope = read_envelope(PARITY, stored, start_bytes, digest=digest)
    directory = _directory(envelope.content)
    if directory.size_bytes != start_bytes:
        raise DamagedError("it has another size than its directory says")
    return directory, envelope.digest


def _directory(content: Any) -> Directory:
    try:
        if content["stripe_bytes"] != STRIPE_BYTES:
            raise DamagedError(f"stripes of {content['stripe_bytes']} bytes are not read by this release")
        return Directory(
            group_id=str(content["group_id"]),
            row=int(content["row"]),
            rows_count=int(content["rows_count"]),
            members=tuple(decode(GroupMember, member) for member in content["members"]),
            digests=base64.b64decode(content["digests"], validate=True),
        )
    except (KeyError, TypeError, ValueError, binascii.Error, MessageError) as error:
        raise DamagedError(f"the directory of a parity object does not hold what it must: {error}") from error
