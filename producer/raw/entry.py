"""The one entry of a raw source in the listing."""

from __future__ import annotations

import stat
import time

from producer.listing import EntryBatch
from producer.raw.raw_path import refuse_what_is_no_raw_volume, size_of
from producer.requests import Source


def raw_batch(source: Source) -> EntryBatch:
    """A batch that holds the source itself, as a file of the raw volume's size; raises UsageError.

    A block device has no time of change, so its time is now: pieces of an interrupted run are never joined with later
    ones without comparing their bytes.
    """
    refuse_what_is_no_raw_volume(source.path)
    status = source.path.stat()
    is_device = stat.S_ISBLK(status.st_mode)
    now_ns, size_bytes = time.time_ns(), size_of(source.path)
    return EntryBatch(
        source=source.name,
        directory="",
        first_entry=0,
        names=[""],
        kinds="f",
        # It holds everybody's files, so the image of a device is for its owner alone.
        modes=[0o600 if is_device else status.st_mode & 0o7777],
        uids=[status.st_uid],
        gids=[status.st_gid],
        mtimes_ns=[now_ns if is_device else status.st_mtime_ns],
        ctimes_ns=[now_ns if is_device else status.st_ctime_ns],
        sizes_bytes=[size_bytes],
        links={},
        device_numbers={},
        # Whatever the volume is, its image gets holes for long zeros.
        data_ranges={"": [(0, size_bytes)]} if size_bytes else {},
    )
