"""Where a file has data, as its file system reports it."""

from __future__ import annotations

import os
from pathlib import Path


def data_in(path: Path) -> list[tuple[int, int]]:
    """Start and stop of each range."""
    found = []
    with path.open("rb") as file:
        stop, size_bytes = 0, path.stat().st_size
        while stop < size_bytes:
            try:
                start = os.lseek(file.fileno(), stop, os.SEEK_DATA)
            except OSError:
                break
            stop = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            found.append((start, stop))
    return found
