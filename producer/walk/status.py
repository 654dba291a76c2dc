"""The status of an entry, as the walk uses it."""

from __future__ import annotations

import os
from typing import NamedTuple


class SentStatus(NamedTuple):
    """What of ``os.stat_result`` the walk needs, as another process sends it."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_nlink: int
    st_dev: int
    st_ino: int
    st_rdev: int
    st_blocks: int


Status = os.stat_result | SentStatus
