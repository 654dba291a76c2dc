"""Where things are on a device (docs/format.md)."""

from __future__ import annotations

from tasks.errors import DeviceError
from tasks.values import is_safe_path

MARKER_NAME = "segfleet.json"
SEGMENTS_FOLDER = "segments"
MANIFESTS_FOLDER = "manifests"
PARITY_FOLDER = "parity"

#: Ends the name of every file that is not finished.
TEMPORARY_SUFFIX = ".tmp"


def object_key(object_id: str) -> str:
    """ab12… --> segments/ab/ab12….seg; 256 folders keep each of them small."""
    return f"{SEGMENTS_FOLDER}/{object_id[:2]}/{object_id}.seg"


def parity_key(group_id: str) -> str:
    """ab12… --> parity/ab/ab12….par: a device has at most one row of a group."""
    return f"{PARITY_FOLDER}/{group_id[:2]}/{group_id}.par"


def manifest_key(name: str) -> str:
    return f"{MANIFESTS_FOLDER}/{name}"


def split_key(key: str) -> tuple[tuple[str, ...], str]:
    """segments/ab/x.seg --> (("segments", "ab"), "x.seg").  Raises DeviceError on an invalid key."""
    folder, _, name = key.rpartition("/")
    if not folder or not name or not is_safe_path(key) or name.endswith(TEMPORARY_SUFFIX):
        raise DeviceError(f"{key!r} is not a key of a stored object")
    return tuple(folder.split("/")), name
