"""Extended attributes of an entry: its ACLs, capabilities, labels, and what users put there."""

from __future__ import annotations

import errno
import os

from producer.observer import Trouble
from tasks.metadata import MAX_ATTRIBUTES_BYTES

#: The file system has none, or forgot one between its name and its value.
_NONE = frozenset({errno.ENOTSUP, errno.ENODATA})


def attributes_at(name: str, folder: int) -> dict[str, bytes]:
    """The extended attributes of ``name`` in the open directory ``folder``, by name; symlinks are not followed.

    Raises OSError: EFBIG when they are too large to be kept.
    """
    # Python has no form of listxattr with a directory's descriptor.
    return attributes_of(f"/proc/self/fd/{folder}/{name}")


def can_read_attributes() -> bool:
    """Whether :func:`attributes_at` works: /proc may not be mounted."""
    return os.path.isdir("/proc/self/fd")


def attributes_of(path: str) -> dict[str, bytes]:
    """As :func:`attributes_at`; the last part of ``path`` is not followed."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NONE:
            return {}
        raise
    return _values(path, names) if names else {}


def _values(path: str, names: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    size_bytes = 0
    for name in sorted(names):
        try:
            value = os.getxattr(path, name, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NONE:
                continue
            raise
        size_bytes += len(name) + len(value)
        if size_bytes > MAX_ATTRIBUTES_BYTES:
            raise OSError(errno.EFBIG, f"more than {MAX_ATTRIBUTES_BYTES} bytes of them")
        found[name] = value
    return found


def attributes_trouble(error: OSError, path: str) -> Trouble:
    """What to say of an entry that is kept without its extended attributes."""
    return Trouble(code="attributes", message=f"kept without its extended attributes: {error.strerror}", path=path)


def no_attributes_trouble(root: str) -> Trouble:
    """What to say once of a source whose entries are all kept without their extended attributes."""
    message = "extended attributes are left out: they are read through /proc, which is not mounted (see --no-xattrs)"
    return Trouble(code="attributes", message=message, path=root)
