"""How the process that scans tells the other one what it finds."""

from __future__ import annotations

import marshal
import os
import select
import struct
from collections.abc import Callable, Iterator
from typing import Any

from producer.observer import Trouble
from producer.walk.found import Found
from producer.walk.status import SentStatus
from tasks.errors import SegfleetError

#: The descriptor of the pipe in the process that scans.
OUTPUT = 3

_LENGTH = struct.Struct("<Q")

#: How often the reading process looks whether it is wanted still.
_BEAT_MS = 250
_READ_BYTES = 1024 * 1024


def messages_from(output: int, beat: Callable[[], None]) -> Iterator[tuple[str, Any]]:
    """What the process sends.  Raises SegfleetError when it ends before it has sent that it is done."""
    buffer = bytearray()
    poll = select.poll()
    poll.register(output, select.POLLIN)
    while True:
        while not poll.poll(_BEAT_MS):
            beat()
        part = os.read(output, _READ_BYTES)
        if not part:
            raise SegfleetError("the process that reads the source ended early", hint="run the backup again")
        buffer += part
        start = 0
        while len(buffer) - start >= _LENGTH.size:
            end = start + _LENGTH.size + _LENGTH.unpack_from(buffer, start)[0]
            if end > len(buffer):
                break
            yield marshal.loads(memoryview(buffer)[start + _LENGTH.size : end])
            start = end
        del buffer[:start]


def write_message(kind: str, content: Any) -> None:
    data = marshal.dumps((kind, content))
    view = memoryview(_LENGTH.pack(len(data)) + data)
    while view:
        view = view[os.write(OUTPUT, view) :]


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
