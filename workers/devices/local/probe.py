"""What is in a folder that is named as a device?  Looks and tries to write; changes nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tasks.errors import NotADeviceError
from tasks.receipts import DeviceCondition, DeviceReport
from tasks.values import MAX_DEVICE_BYTES
from workers.devices.keys import MARKER_NAME, TEMPORARY_SUFFIX
from workers.devices.local.beneath import FOLDER_FLAGS
from workers.devices.local.mount_point import mount_point_of
from workers.devices.local.pending_file import PendingFile
from workers.devices.local.root import read_marker
from workers.devices.marker import Marker, NewerMarkerError
from workers.devices.trouble import reason_of
from workers.fresh_disk import is_of_fresh_disk

_PROBE_NAME = "segfleet.probe"
_PROBE_BYTES = b"segfleet was here\n" * 256


def probe_folder(path: Path) -> DeviceReport:
    """Describe the folder at ``path``; every trouble is in the report."""
    try:
        root_fd = os.open(path, FOLDER_FLAGS)
    except FileNotFoundError:
        return _report("missing", f"{path} does not exist; make the folder first, or mount the device")
    except NotADirectoryError:
        return _report("foreign", f"{path} is not a folder")
    except OSError as error:
        return _report("unwritable", f"{path}: {reason_of(error)}")
    try:
        return _probe_open_folder(path, root_fd)
    except OSError as error:
        return _report("unwritable", f"{path}: {reason_of(error)}")
    finally:
        os.close(root_fd)


def _probe_open_folder(path: Path, root_fd: int) -> DeviceReport:
    try:
        marker = read_marker(root_fd, path)
    except NewerMarkerError as error:
        return _report("newer", error.message, root_fd)
    except NotADeviceError as error:
        return _report("damaged", error.message, root_fd)
    if marker is None and (name := _foreign_name(root_fd)) is not None:
        return _report("foreign", f"{path} holds {name!r}, but no {MARKER_NAME}", root_fd)
    trouble = _try_to_write(root_fd)
    if trouble in (errno.ENOSPC, errno.EDQUOT):
        return _report("ready" if marker else "empty", f"{path}: {os.strerror(trouble)}", root_fd, marker, full=True)
    if trouble:
        return _report("unwritable", f"{path}: {os.strerror(trouble)}", root_fd, marker)
    return _report("ready" if marker else "empty", "", root_fd, marker)


def _foreign_name(root_fd: int) -> str | None:
    """The name of something that does not belong to segfleet; None in an empty folder."""
    for name in sorted(os.listdir(root_fd)):
        left_over = name.startswith("segfleet.") and name.endswith(TEMPORARY_SUFFIX)
        if not left_over and not is_of_fresh_disk(name):
            return name
    return None


def _try_to_write(root_fd: int) -> int:
    """Write, sync, read back and remove a small file.  Returns the errno, 0 when all went well."""
    try:
        # Best without a name: a run that ends kills the workers of unfinished probes.
        fd = _open_nameless(root_fd)
        if fd is None:
            return _try_named(root_fd)
        try:
            return _try_file(fd)
        finally:
            os.close(fd)
    except OSError as error:
        return error.errno or errno.EIO


def _open_nameless(root_fd: int) -> int | None:
    """A file without a name; None where the file system does not support that (NFS, FAT).  Raises OSError."""
    try:
        return os.open(".", os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600, dir_fd=root_fd)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL):
            raise
        return None


def _try_named(root_fd: int) -> int:
    pending = PendingFile(root_fd, _PROBE_NAME)
    try:
        return _try_file(pending.fd)
    finally:
        pending.close()


def _try_file(fd: int) -> int:
    if os.pwrite(fd, _PROBE_BYTES, 0) < len(_PROBE_BYTES):
        # A file system with a last free block writes what fits there, without an error.
        return errno.ENOSPC
    os.fsync(fd)
    return 0 if os.pread(fd, len(_PROBE_BYTES), 0) == _PROBE_BYTES else errno.EIO


def _report(
    condition: DeviceCondition, detail: str, root_fd: int = -1, marker: Marker | None = None, *, full: bool = False
) -> DeviceReport:
    capacity_bytes, free_bytes, identity, mount_point = 0, 0, (0, 0), ""
    if root_fd >= 0:
        room, root = os.statvfs(root_fd), os.fstat(root_fd)
        capacity_bytes = min(MAX_DEVICE_BYTES, room.f_blocks * room.f_frsize)
        free_bytes = min(MAX_DEVICE_BYTES, room.f_bavail * room.f_frsize)
        identity, mount_point = (root.st_dev, root.st_ino), mount_point_of(root_fd)
    return DeviceReport(
        condition=condition,
        detail=detail,
        device_id=marker.device_id if marker else "",
        pool_id=marker.pool_id if marker else "",
        marker_name=marker.name if marker else "",
        capacity_bytes=capacity_bytes,
        free_bytes=0 if full else free_bytes,
        root_identity=identity,
        mount_point=mount_point,
        catalog_id=marker.catalog_id if marker else "",
        site=marker.site if marker else "",
    )
