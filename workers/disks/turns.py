"""Workers of one host take turns at a disk, whose head can be at one place only.

Turns are locks on files, which the kernel releases when their holder dies.  Others wait at a gate, so that
the last holder, who returns at once, does not overtake those who wait.  Each holder leaves a mark.  When no mark
changes for long, the holder is stuck, and those who wait go ahead without a turn: turns only make a disk faster.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from workers.disks.disks import disk_of

log = logging.getLogger("segfleet.turns")

#: A turn changes hands within 2 ms on average; a disk needs 10 for the seek that follows.
_LOOK_EVERY_S = 0.004

#: A holder that takes longer than this is stopped, or is reading bad blocks.
_PATIENCE_S = 4.0


class Turns:
    """``count`` places, in files of ``folder`` that begin with ``name``.  Any thread may take turns."""

    def __init__(self, folder: Path, name: str, count: int, *, patience_s: float = _PATIENCE_S) -> None:
        self._gate = folder / f"{name}.gate"
        self._places = [folder / f"{name}.{number}" for number in range(count)]
        self._patience_s = patience_s
        #: The marks when patience ended: while they do not change, nobody waits again.
        self._stuck_at: list[int] | None = None

    @contextmanager
    def turn(self, beat: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Wait for a turn and hold it during the block; ``beat`` is called whenever a turn changes hands meanwhile.

        Raises only what ``beat`` and the block raise.
        """
        try:
            place = self._wait(beat)
        except OSError as error:
            log.warning("going ahead without a turn: %s", error)
            place = None
        try:
            yield
        finally:
            if place is not None:
                os.close(place)

    def _wait(self, beat: Callable[[], object]) -> int | None:
        marks, since_s = self.marks(), time.monotonic()
        gate = None
        try:
            while True:
                gate = gate if gate is not None else _lock(self._gate)
                if gate is not None and (place := self._take_place()) is not None:
                    return place
                if (now := self.marks()) != marks:
                    marks, since_s = now, time.monotonic()
                    beat()
                elif marks == self._stuck_at or time.monotonic() - since_s > self._patience_s:
                    self._stuck_at = marks
                    return None
                time.sleep(_LOOK_EVERY_S)
        finally:
            if gate is not None:
                os.close(gate)

    def _take_place(self) -> int | None:
        for path in self._places:
            place = _lock(path)
            if place is not None:
                os.utime(place)
                return place
        return None

    def marks(self) -> list[int]:
        """The marks, which change whenever somebody gets a turn."""
        marks = []
        for path in self._places:
            with suppress(FileNotFoundError):
                marks.append(path.stat().st_mtime_ns)
        return marks


def turns_at(place: Path | int, what: str, count: int | None = None) -> Turns | None:
    """The turns of this user's workers to do ``what``, a word, at the disk of ``place``; None where none are needed.

    At most ``count`` at once; None: one where the kernel says that the disk rotates, else all.
    """
    try:
        disk = disk_of(place)
        if count is None and not disk.rotates:
            return None
        return _turns(_own_folder(), f"{what}-{disk.name}", count or 1)
    except OSError as error:
        log.warning("no turns at the disk of %s: %s", place, error)
        return None


@lru_cache  # Kept, so that a holder that was found stuck is still known for the next segment.
def _turns(folder: Path, name: str, count: int) -> Turns:
    return Turns(folder, name, count)


def _own_folder() -> Path:
    """A folder in memory, the same for all processes of the user whatever their environment; raises OSError."""
    folder = Path(f"/dev/shm/segfleet-turns-{os.geteuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _lock(path: Path) -> int | None:
    """A descriptor that holds the lock until it is closed; None while another process does."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd
