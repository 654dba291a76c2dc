"""What to do with what is already there."""

from __future__ import annotations

import os
import stat
from typing import Literal

from workers.target.files import is_unfinished

Overwrite = Literal["always", "if-changed", "never"]


def is_kept(found: os.stat_result | None, overwrite: Overwrite, *, size_bytes: int, mtime_ns: int) -> bool:
    """Whether the file that was ``found`` (None: nothing) stays as it is.

    A file that an earlier delivery of an order, or an earlier restore, left unfinished never counts as there.
    """
    if found is None or overwrite == "always" or is_unfinished(found):
        return False
    if overwrite == "never":
        return True
    return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes and found.st_mtime_ns == mtime_ns
