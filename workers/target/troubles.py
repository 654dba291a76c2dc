"""What goes wrong with one path, and what goes wrong with the target as a whole."""

from __future__ import annotations

import errno
import os

from tasks.errors import TargetError
from tasks.receipts import PathTrouble

#: Errors after which no other path of the target would fare better.
_TARGET_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


class TargetTrouble(Exception):
    """One path cannot be restored as ordered; the others can.  ``code`` is the one of its PathTrouble."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MetadataTrouble(TargetTrouble):
    """The content is there, but mode, owner or time could not be set."""

    def __init__(self, message: str) -> None:
        super().__init__("metadata", message)


#: What concerns one path: a name that the file system's encoding lacks is a UnicodeEncodeError, a
#: device number that the kernel lacks an OverflowError.
PATH_ERRORS = (OSError, TargetTrouble, OverflowError, UnicodeEncodeError)


def trouble_at(path: str, error: Exception, *, offset_bytes: int = 0, size_bytes: int = -1) -> PathTrouble:
    """``error`` (one of PATH_ERRORS) as a line of a receipt.

    Raises TargetError when it is the target that cannot be written, and not just this path.
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
