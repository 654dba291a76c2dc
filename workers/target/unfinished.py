"""How a restore marks what it has made and not finished.

Hardly anything finished has these modes, and nobody but the owner can look inside.  So they tell a file or folder of an
interrupted restore, or of an earlier delivery of an order, from one that was there before.
"""

from __future__ import annotations

import os
import re
import stat
from hashlib import blake2b

UNFINISHED_MODE = 0o200
#: The sticky bit means nothing in a folder that only its owner can enter.
UNFINISHED_FOLDER_MODE = 0o1700

_TEMPORARY = re.compile(r"\.segfleet-([0-9a-f]{12})-[0-9a-f]{24}\.part(?:\.\d+|\.old)?")


def is_unfinished(found: os.stat_result) -> bool:
    """Whether a restore by this user left this file unfinished.  It has no other name, and nobody else opened it."""
    return (
        stat.S_ISREG(found.st_mode)
        and stat.S_IMODE(found.st_mode) == UNFINISHED_MODE
        and found.st_uid == os.geteuid()
        and found.st_nlink == 1
    )


def is_unfinished_folder(found: os.stat_result) -> bool:
    """Whether a restore by this user made this folder and has not finished it."""
    return (
        stat.S_ISDIR(found.st_mode)
        and stat.S_IMODE(found.st_mode) == UNFINISHED_FOLDER_MODE
        and found.st_uid == os.geteuid()
    )


def temporary_name(run_id: str, path: str) -> str:
    """The name beside ``path`` of what will replace it: the same for all workers of the run."""
    # The name tells the run, and whether the file belongs to a given path.
    digest = blake2b(os.fsencode(path), key=run_id[:12].encode(), digest_size=12).hexdigest()
    return f".segfleet-{run_id[:12]}-{digest}.part"


def kept_name(run_id: str, path: str) -> str:
    """The name beside ``path`` of what another run left of it, while this one takes from it."""
    return temporary_name(run_id, path) + ".old"


def is_left_over_of(name: str, run_id: str, path: str) -> bool:
    """Whether ``name`` is that under which another run left the file at ``path`` unfinished."""
    found = _TEMPORARY.fullmatch(name)
    return found is not None and found[1] != run_id[:12] and name.removesuffix(".old") == temporary_name(found[1], path)


def is_left_over(name: str, run_id: str) -> bool:
    """Whether ``name`` is a temporary name of another run."""
    found = _TEMPORARY.fullmatch(name)
    return found is not None and found[1] != run_id[:12]
