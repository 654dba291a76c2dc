"""What entries of a target were restored without, by kind."""

from __future__ import annotations

import errno
from collections import Counter

from tasks.sources.metadata import MetadataKind

_NO_RIGHT = frozenset({errno.EPERM, errno.EACCES})
_UNSUPPORTED = frozenset({errno.ENOTSUP, errno.ENOTTY, errno.ENOSYS})


class NotKept:
    """Counts entries.  For one order, so for one thread."""

    def __init__(self) -> None:
        #: What this user may not set.
        self.not_kept: Counter[MetadataKind] = Counter()
        #: What the file system does not have.
        self.unsupported: Counter[MetadataKind] = Counter()

    def add(self, kind: MetadataKind, error: OSError, *, may_set: bool) -> bool:
        """Count an entry that lacks ``kind``; returns whether ``error`` says no more than that.

        ``may_set``: whether nobody's rights are in the way, so that a refusal comes from the file system.
        """
        if error.errno in _UNSUPPORTED or (may_set and error.errno in _NO_RIGHT):
            self.unsupported[kind] += 1
        elif error.errno in _NO_RIGHT:
            self.not_kept[kind] += 1
        else:
            return False
        return True
