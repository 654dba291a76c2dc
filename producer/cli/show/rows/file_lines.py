"""How ``--verbose`` names a file."""

from __future__ import annotations

from producer.host.safe_text import escaped
from producer.observer import FileChange

_LETTERS: dict[FileChange, str] = {"new": "N", "changed": "C", "moved": "M"}


def file_line(change: FileChange, path: str) -> str:
    return f"{_LETTERS[change]} {escaped(path)}"
