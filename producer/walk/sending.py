"""How the scout that scans a source sends what it finds."""

from __future__ import annotations

from typing import Any

from producer.observer import Trouble
from producer.walk.found import Found
from producer.walk.status import SentStatus


def content_of(found: Found) -> tuple[Any, ...]:
    rows = [
        (s.st_mode, s.st_uid, s.st_gid, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
        + (s.st_nlink, s.st_dev, s.st_ino, s.st_rdev, s.st_blocks)
        for s in found.statuses
    ]
    return (found.directory, found.names, found.letters, rows, found.links)


def trouble_of(content: tuple[str, str, str]) -> Trouble:
    code, message, path = content
    return Trouble(code=code, message=message, path=path)


def found_of(content: tuple[Any, ...]) -> Found:
    directory, names, letters, rows, links = content
    return Found(directory, names, letters, list(map(SentStatus._make, rows)), links)
