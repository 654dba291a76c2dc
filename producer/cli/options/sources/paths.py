"""Paths on the command line."""

from __future__ import annotations

import os
from pathlib import Path

from producer.configuration.homes import from_home
from producer.host.scouting.looks import look
from tasks.errors import UsageError


def absolute(path: str) -> Path:
    """``path`` made absolute from the working folder, with ``~`` expanded; keeps symlinks, resolves ``..``.

    Raises UsageError for "", which would mean the working folder, for an unknown user's home, and for a relative path
    when the working folder has been removed or may not be entered.
    """
    if not path:
        raise UsageError(
            "a path on the command line is empty", hint="check the variable it comes from, or write . for this folder"
        )
    expanded = from_home(path)
    # A symlink before ".." leads elsewhere, so only the real path is right.
    try:
        return look(expanded, _real) if ".." in expanded.parts else expanded.absolute()
    except OSError as error:
        raise UsageError(
            f"{path}: the current folder cannot be used: {error.strerror}",
            hint="change to another folder, or write the full path",
            path=path,
        ) from error


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
