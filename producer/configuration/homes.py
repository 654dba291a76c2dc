"""``~`` and ``~user`` at the beginning of a path."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.errors import UsageError


def from_home(path: str) -> Path:
    """``path`` with ``~`` and ``~user`` taken as their home folders; ``./~user`` is what it says.

    Raises UsageError for a user who has no home folder here: the path would lead elsewhere.
    """
    # Not Path.expanduser(): it takes ./~user for ~user.
    expanded = os.path.expanduser(path)  # noqa: PTH111
    if expanded.startswith("~"):
        user = path.partition("/")[0]
        raise UsageError(
            f"{path}: there is no home folder {user} on this host",
            hint=f"write the whole path, or ./{path} if the folder is called {user}",
            path=path,
        )
    return Path(expanded)
