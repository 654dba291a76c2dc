"""Errors of one path of a target, and errors of the target as a whole."""

from __future__ import annotations

import errno
import os

from tasks.errors import TargetError
from tasks.receipts import PathTrouble

#: Errors that every other path of the target would meet too.
_TARGET_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class TargetTrouble(Exception):
    """One path cannot be restored as ordered; the others can.  ``code`` is that of its PathTrouble."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MetadataTrouble(TargetTrouble):
    """The content is there, but mode, owner or time could not be set."""

    def __init__(self, message: str) -> None:
        super().__init__("metadata", message)


#: What file systems of other systems say of a name with characters that they lack.
_NAME_ERRNOS = frozenset({errno.EILSEQ, errno.EINVAL})


def name_trouble(error: OSError, folder: int) -> TargetTrouble | None:
    """The trouble of a new entry in ``folder`` whose name the file system does not take; None for other errors."""
    # Nothing was to be found: exfat-fuse means the name.
    is_name = error.errno in _NAME_ERRNOS or (error.errno == errno.ENOENT and os.fstat(folder).st_nlink > 0)
    return TargetTrouble("unwritable", "the target's file system does not take this name") if is_name else None


#: Errors of one path: UnicodeEncodeError for a name that the file system's encoding lacks, OverflowError for a device
#: number that the kernel lacks.
PATH_ERRORS = (OSError, TargetTrouble, OverflowError, UnicodeEncodeError)


def trouble_at(path: str, error: Exception, *, offset_bytes: int = 0, size_bytes: int = -1) -> PathTrouble:
    """``error`` (one of PATH_ERRORS) as a line of a receipt.

    Raises TargetError when the whole target cannot be written, not just this path.
    """
    if isinstance(error, MetadataTrouble):
        offset_bytes, size_bytes = 0, 0
    code = "unwritable"
    message = str(error)
    if isinstance(error, TargetTrouble):
        code = error.code
    elif isinstance(error, UnicodeEncodeError):
        message = "the name cannot be written on this system"
    elif isinstance(error, OSError):
        message = os.strerror(error.errno or 0)
        if error.errno in _TARGET_ERRNOS:
            raise TargetError(f"cannot write {path!r} in the target: {message}", path=path) from error
    return PathTrouble(path=path, offset_bytes=offset_bytes, size_bytes=size_bytes, code=code, message=message)
