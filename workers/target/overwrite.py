"""What to do with files that exist already."""

from __future__ import annotations

import os
import stat
from typing import Literal

from workers.target.files import is_unfinished

Overwrite = Literal["always", "if-changed", "never"]


def is_kept(found: os.stat_result | None, overwrite: Overwrite, *, size_bytes: int, mtime_ns: int) -> bool:
    """Whether the file that was ``found`` (None: no file) stays as it is.

    An unfinished file of an earlier restore, or of an earlier delivery of the order, never counts.
    """
    if found is None or overwrite == "always" or is_unfinished(found):
        return False
    if overwrite == "never":
        return True
    return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes and found.st_mtime_ns == mtime_ns
