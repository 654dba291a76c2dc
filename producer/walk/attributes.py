"""Extended attributes of an entry: its ACLs, capabilities, labels, and what users put there."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from producer.host.scouting.scouts import is_scout
from producer.observer import Trouble
from tasks.sources.metadata import MAX_ATTRIBUTES_BYTES

#: The file system has none, or forgot one between its name and its value.
_NONE = frozenset({errno.ENOTSUP, errno.ENODATA})


def prefix_of_open(folder: int) -> str:
    """What makes a name in the open directory ``folder`` a path: listxattr takes no descriptor of a directory.

    A scout enters the directory instead, because the path through /proc costs as much as the call itself.
    """
    if is_scout():
        with suppress(OSError):
            os.fchdir(folder)
            return ""
    return f"/proc/self/fd/{folder}/"


def can_read_attributes() -> bool:
    """Whether a path with :func:`prefix_of_open` leads anywhere: /proc may not be mounted."""
    return os.path.isdir("/proc/self/fd")


def attributes_of(path: str) -> dict[str, bytes]:
    """The extended attributes at ``path``, whose last part is not followed.

    Raises OSError: EFBIG when they are too large to be kept.
    """
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
