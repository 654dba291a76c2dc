"""Ways to entries whose paths are longer than the system takes at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def place_of(top: bytes, path: bytes) -> Iterator[bytes]:
    """A short path to what is at ``path`` below ``top``, while the block runs; the folders on the way are made."""
    *above, name = path.split(b"/")
    folder = os.open(top, os.O_PATH)
    try:
        for part in above:
            place = b"/proc/self/fd/%d/%s" % (folder, part)
            os.makedirs(place, exist_ok=True)
            below = os.open(place, os.O_PATH)
            os.close(folder)
            folder = below
        yield b"/proc/self/fd/%d/%s" % (folder, name)
    finally:
        os.close(folder)
