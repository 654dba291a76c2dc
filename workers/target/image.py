"""A target that is one raw volume: a block device, or the image of one in a regular file."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from tasks.errors import TargetError, TargetNotEmptyError
from tasks.orders import PrepareImage
from tasks.receipts import RestoreResult
from workers.target.files import TargetFile
from workers.target.syncing import STEP_BYTES, sync_in_steps

_BLKGETSIZE64 = 0x80081272
_BLKZEROOUT = 0x127F

#: File systems, partition tables and RAID or LVM members have their first signature in this range: a device with only
#: zeros here holds none of them (the farthest is that of btrfs, at 64 KiB).
_SIGNATURES_BYTES = 128 * 1024

_FORCE_HINT = "use --force to write over it"


def is_image_target(root: Path) -> bool:
    """Whether this target takes the image of a raw volume, and nothing else."""
    try:
        mode = root.stat().st_mode
    except OSError:
        return False
    return stat.S_ISBLK(mode) or stat.S_ISREG(mode)


class ImageTarget:
    """Takes the place of the folders of other targets; holds nothing open."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> ImageTarget:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Nothing to close."""

    def open(self) -> TargetFile:
        """The open image, to write pieces at their offsets; raises OSError."""
        descriptor = os.open(self._root, os.O_WRONLY | os.O_CLOEXEC)
        if stat.S_ISBLK(os.fstat(descriptor).st_mode):
            return DeviceFile(descriptor, is_fresh=False)
        return TargetFile(descriptor, is_fresh=False)


class DeviceFile(TargetFile):
    """A block device as a target: it has no holes, so zeros are written too."""

    __slots__ = ()

    def write(self, data: bytes, start: int, stop: int, offset_bytes: int, *, sparse: bool = False) -> None:
        self._write_all(memoryview(data)[start:stop], offset_bytes)


def prepare_image(
    order: PrepareImage,
    *,
    target_root: Path,
    beat: Callable[[], object],
    before_write: Callable[[], None] = lambda: None,
) -> RestoreResult:
    """Carry out the order; a repeat changes nothing, even after pieces have been written.

    It moves no bytes that count, so ``beat`` is called while it writes zeros and syncs, which may take hours.  Raises
    TargetError, TargetNotEmptyError, and what ``before_write`` raises, which is called before each step.
    """
    try:
        if order.finish:
            _sync(target_root, beat)
        elif target_root.is_block_device():
            _prepare_device(order, target_root, beat, before_write)
        else:
            _prepare_file(order, target_root, beat, before_write)
    except OSError as error:
        raise TargetError(f"cannot write the image {target_root}: {error.strerror}", path=str(target_root)) from error
    return RestoreResult(files_count=int(order.finish), bytes_restored=0, skipped_count=0, troubles=())


def _prepare_device(
    order: PrepareImage, path: Path, beat: Callable[[], object], before_write: Callable[[], None]
) -> None:
    _refuse_mounted(path)
    try:
        # O_EXCL: the kernel refuses a device that is mounted, or part of an active RAID, LVM or swap.
        descriptor = os.open(path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        raise TargetError(f"{path} is in use: {error.strerror}", hint="unmount it first", path=str(path)) from error
    try:
        size_bytes = struct.unpack("Q", fcntl.ioctl(descriptor, _BLKGETSIZE64, bytes(8)))[0]
        if size_bytes < order.size_bytes:
            message = f"{path} is too small: it has {size_bytes} bytes, the image {order.size_bytes}"
            raise TargetError(message, hint="choose a device at least as large", path=str(path))
        if not order.force and any(os.pread(descriptor, _SIGNATURES_BYTES, 0)):
            raise TargetNotEmptyError(f"{path} is not empty", hint=_FORCE_HINT, path=str(path))
        zeros = zip(order.zero_offsets_bytes, order.zero_sizes_bytes, strict=True)
        _zero(descriptor, zeros, beat, before_write)
        # Otherwise the close would sync without a beat: closing a block device waits for all that was written.
        sync_in_steps(descriptor, beat)
    finally:
        os.close(descriptor)


def _prepare_file(
    order: PrepareImage, path: Path, beat: Callable[[], object], before_write: Callable[[], None]
) -> None:
    """Give the image file its size.  A new one is a hole until pieces are written.

    Never empties it: when the order is delivered again, it may already hold pieces.
    """
    file = TargetFile(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), is_fresh=False)
    try:
        if not order.force and not file.is_hole(0, os.fstat(file.descriptor).st_size):
            raise TargetNotEmptyError(f"{path} exists already and is not empty", hint=_FORCE_HINT, path=str(path))
        _refuse_mounted(path)
        os.ftruncate(file.descriptor, order.size_bytes)
        for offset_bytes, size_bytes in zip(order.zero_offsets_bytes, order.zero_sizes_bytes, strict=True):
            before_write()
            file.make_zeros(offset_bytes, size_bytes, beat)
    finally:
        file.close()


def _refuse_mounted(path: Path) -> None:
    """Raises TargetError when the device, one of its partitions, or a loop device on the file is mounted."""
    found = path.stat() if path.exists() else None
    if found is None:
        return
    mine = {_number(found.st_rdev)} if stat.S_ISBLK(found.st_mode) else set()
    mine |= _loops_on(path)
    for number in list(mine):
        mine |= {
            (folder / "dev").read_text().strip()
            for folder in Path(f"/sys/dev/block/{number}").glob("*[0-9]")
            if (folder / "partition").exists()
        }
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        fields = line.split(" ")
        if fields[2] in mine:
            where = re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), fields[4])
            raise TargetError(f"{path} is mounted on {where}", hint="unmount it first", path=str(path))


def _loops_on(path: Path) -> set[str]:
    """The numbers (major:minor) of the loop devices whose backing file this is."""
    found = set()
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            if Path(backing.read_text().strip()) == path.resolve():
                found.add((backing.parents[1] / "dev").read_text().strip())
    return found


def _number(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def _zero(
    descriptor: int,
    ranges: Iterable[tuple[int, int]],
    beat: Callable[[], object],
    before_write: Callable[[], None] = lambda: None,
) -> None:
    """In steps, because one ioctl cannot be interrupted."""
    for offset_bytes, size_bytes in ranges:
        stop_bytes = offset_bytes + size_bytes
        for start in range(offset_bytes, stop_bytes, STEP_BYTES):
            before_write()
            _zero_range(descriptor, start, min(STEP_BYTES, stop_bytes - start))
            beat()


def _zero_range(descriptor: int, offset_bytes: int, size_bytes: int) -> None:
    # The kernel zeroes whole logical blocks, at once where the disk can do so itself.
    with suppress(OSError):
        fcntl.ioctl(descriptor, _BLKZEROOUT, struct.pack("QQ", offset_bytes, size_bytes))
        return
    block = bytes(1024 * 1024)
    for start in range(0, size_bytes, len(block)):
        os.pwrite(descriptor, block[: min(len(block), size_bytes - start)], offset_bytes + start)


def _sync(path: Path, beat: Callable[[], object]) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync_in_steps(descriptor, beat)
    finally:
        os.close(descriptor)
