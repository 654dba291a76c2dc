"""A file that a command writes as its result, and that others may read meanwhile."""

from __future__ import annotations

from pathlib import Path

from producer.host.scouting.looks import look
from producer.host.whole_file import write_whole
from tasks.errors import UsageError


def write_result(path: Path, content: bytes, *, option: str, mode: int = 0o644) -> None:
    """Replace the file at ``path`` as a whole; raises UsageError, and leaves what was there."""
    try:
        look(path, lambda path: write_whole(path, content, mode))
    except OSError as error:
        hint = f"give {option} a file in a folder that you can write"
        raise UsageError(f"cannot write {path}: {error.strerror}", hint=hint, path=str(path)) from error
