"""``~`` and ``~user`` at the beginning of a path."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.errors import UsageError


def from_home(path: str) -> Path:
    """``path`` with a leading ``~`` or ``~user`` expanded; ``./~user`` stays as it is.

    Raises UsageError for a user without a home folder here.
    """
    # Not Path.expanduser(): it takes ./~user for ~user.
    expanded = os.path.expanduser(path)  # noqa: PTH111
    if expanded.startswith("~"):
        user = path.partition("/")[0]
        raise UsageError(
            f"{path}: {user} has no home folder on this host",
            hint=f"write the full path, or ./{path} if the folder is really called {user}",
            path=path,
        )
    return Path(expanded)
