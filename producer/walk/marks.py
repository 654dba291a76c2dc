"""The mark of a directory: a digest of all that the kernel says of what is in it.

Whoever changes an entry, its content or its extended attributes changes its time of change.  So where the mark is what
it was, a scan need not ask for links, holes and attributes.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Sequence

from producer.walk.status import STATUS_BYTES, Status

MARK_BYTES = 16

#: In a status, in words of 8 bytes: the time of the last access, which reading changes.
_ACCESS_WORDS = (8, 9)


def mark_of(names: Sequence[str], statuses: Sequence[Status], *, with_attributes: bool) -> bytes:
    """``with_attributes``: whether the scan asks for extended attributes."""
    words = array("Q", b"".join(statuses))
    nothing = array("Q", bytes(8 * len(names)))
    for word in _ACCESS_WORDS:
        words[word :: STATUS_BYTES // 8] = nothing
    digest = hashlib.blake2b(words.tobytes(), digest_size=MARK_BYTES, key=b"x" if with_attributes else b"-")
    digest.update(os.fsencode("\0".join(names)))
    return digest.digest()
