"""Makes one row of the parity of a group, from members that are verified first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from tasks.errors import DamagedError
from tasks.groups import STRIPE_BYTES, GroupMember
from tasks.orders.parity import MakeParity, ParityResult
from workers.devices.base import Device, StoredObject, Upload
from workers.devices.keys import object_key, parity_key
from workers.devices.trouble import UnreadableError
from workers.format.reader import SegmentReader
from workers.format.stored_bytes import StoredBytes
from workers.parity.code import code_of
from workers.parity.directory import Directory, encode_directory, read_directory, stripe_digest
from workers.progress import ByteCounter


def make_parity(
    order: MakeParity,
    *,
    device: Device,
    origins: Sequence[Device],
    progress: ByteCounter,
    before_commit: Callable[[], None],
) -> ParityResult:
    """Put the row on ``device``, unless it is there.  Every byte of every member is verified before.

    Raises DamagedError when a member is on none of ``origins`` as it was stored, DeviceError, DeviceFullError, and what
    ``before_commit`` raises.
    """
    there = _there(order, device)
    if there is not None:
        return there
    with ExitStack() as opened:
        members = [opened.enter_context(_open_whole(member, origins, progress)) for member in order.members]
        upload = opened.enter_context(device.put(parity_key(order.group_id)))
        digests = b"".join(_write_stripes(order, members, upload, progress))
        directory = Directory(
            group_id=order.group_id,
            row=order.row,
            rows_count=order.rows_count,
            members=order.members,
            digests=digests,
        )
        end, digest = encode_directory(directory)
        upload.write(end)
        before_commit()
        upload.commit()
    return ParityResult(stored_bytes=directory.size_bytes + len(end), digest=digest.hex())


def _there(order: MakeParity, device: Device) -> ParityResult | None:
    """The row that an earlier message of this order has written, if every byte of it is as it was."""
    try:
        stored = device.open(parity_key(order.group_id))
        if stored is None:
            return None
        with stored:
            content = StoredBytes(stored.read, stored.size_bytes)
            found, digest = read_directory(content)
            if (found.group_id, found.row, found.members) != (order.group_id, order.row, order.members):
                return None
            if damaged_stripes(found, content):
                return None
            return ParityResult(stored_bytes=stored.size_bytes, digest=digest.hex())
    except (DamagedError, UnreadableError):
        return None


def damaged_stripes(directory: Directory, stored: StoredBytes) -> list[int]:
    """The stripes of a row that are not as they were written."""
    column = len(directory.members)
    found = []
    for stripe in range(directory.stripes_count):
        start_bytes = stripe * STRIPE_BYTES
        try:
            data = stored.read(start_bytes, min(STRIPE_BYTES, directory.size_bytes - start_bytes))
        except (DamagedError, UnreadableError):
            found.append(stripe)
            continue
        if stripe_digest(data) != directory.digest(stripe, column):
            found.append(stripe)
    return found


def _open_whole(member: GroupMember, origins: Sequence[Device], progress: ByteCounter) -> StoredObject:
    """The member from the first device that has it as it was stored."""
    why = "no device that this worker reaches has it"
    for device in origins:
        try:
            stored = device.open(object_key(member.object_id))
        except UnreadableError as error:
            why = error.message
            continue
        if stored is None:
            continue
        try:
            _verify(member, stored, progress)
        except (DamagedError, UnreadableError) as error:
            stored.__exit__(None, None, None)
            why = f"on device {device.name}: {error.message}"
            continue
        except BaseException:
            stored.__exit__(None, None, None)
            raise
        return stored
    raise DamagedError(f"object {member.object_id} cannot be read for its parity: {why}")


def _verify(member: GroupMember, stored: StoredObject, progress: ByteCounter) -> None:
    def read(offset_bytes: int, size_bytes: int) -> bytes:
        data = stored.read(offset_bytes, size_bytes)
        progress.add(len(data))
        return data

    reader = SegmentReader(read, stored.size_bytes, salvage=True, trailer_digest=bytes.fromhex(member.trailer_digest))
    if stored.size_bytes != member.stored_bytes or reader.damage or reader.damaged_ranges():
        raise DamagedError("it is not what was stored")


def _write_stripes(
    order: MakeParity, members: Sequence[StoredObject], upload: Upload, progress: ByteCounter
) -> Iterator[bytes]:
    """Write the row stripe by stripe; yields the digests of each."""
    code = code_of(len(members), order.rows_count)
    size_bytes = max(member.size_bytes for member in members)
    for start_bytes in range(0, size_bytes, STRIPE_BYTES):
        length = min(STRIPE_BYTES, size_bytes - start_bytes)
        pieces = [_stripe(member, start_bytes) for member in members]
        row = code.rows([piece.ljust(length, b"\0") for piece in pieces])[order.row]
        upload.write(row)
        progress.add(0)
        yield b"".join(map(stripe_digest, [*pieces, row]))


def _stripe(member: StoredObject, start_bytes: int) -> bytes:
    expected = max(0, min(STRIPE_BYTES, member.size_bytes - start_bytes))
    data = member.read(start_bytes, expected) if expected else b""
    if len(data) != expected:
        raise DamagedError("a stored object became shorter while its parity was made")
    return data
