"""Freezes file systems while their raw volumes are read; they are thawed whatever happens to this process.

A guard process thaws when its standard input closes, and that happens however this process ends.  If the guard is
killed too, the next backup thaws (:mod:`producer.raw.quiesce.duties`).
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from producer.host.places import file_systems_of
from producer.host.scouting.looks import look, look_through
from producer.host.state import StateFolder
from producer.raw.mounts import lower_devices, mounts_of, number_of
from producer.raw.quiesce import thaw_guard
from producer.raw.quiesce.duties import Duties
from producer.requests import BackupRequest
from tasks.errors import SegfleetError, UsageError

_FIFREEZE = 0xC0045877

#: Before it freezes, a file system writes what it has in memory.
_LIMIT_S = 600.0


@contextmanager
def frozen(request: BackupRequest, state: StateFolder) -> Iterator[None]:
    """Freeze every writable file system on a raw volume of the request, if it asks for that; thaw in the end.

    Raises UsageError where segfleet itself writes to such a file system, SegfleetError where it cannot be frozen.
    """
    with ExitStack() as stack:
        if request.freeze:
            for point in _points(request):
                _refuse_own(point, request, state)
                stack.enter_context(_one_frozen(point, Duties(state)))
        yield


def _points(request: BackupRequest) -> list[Path]:
    """One mount point for each file system that is mounted writable from a raw volume."""
    found: dict[str, Path] = {}
    for source in request.sources:
        if source.mode == "raw":
            for mount in look(source.path, mounts_of):
                if not mount.is_read_only:
                    found.setdefault(mount.number, Path(mount.point))
    return list(found.values())


def _refuse_own(point: Path, request: BackupRequest, state: StateFolder) -> None:
    """A writer to a frozen file system waits until it is thawed: this run would wait for itself."""
    number = number_of(look(point, Path.stat).st_dev)
    own = {"the state folder": state.path, "the folder for temporary files": Path(os.environ.get("TMPDIR", "/tmp"))}
    own |= {f"device {name}": path for name, path in request.devices.items()}
    for what, device in file_systems_of(own).items():
        if number in lower_devices(number_of(device)):
            raise UsageError(
                f"{point} cannot be frozen: {what} ({own[what]}) lies on it", hint="move it to another file system"
            )


@contextmanager
def _one_frozen(point: Path, duties: Duties) -> Iterator[None]:
    with duties.thaw(point), _guarded(point):
        try:
            list(look_through(point, partial(map, _freeze, [point]), limit_s=_LIMIT_S, on_wait=lambda: None))
        except OSError as error:
            raise SegfleetError(
                f"cannot freeze {point}: {error.strerror}",
                hint="freezing needs root, and not every file system supports it",
            ) from error
        yield


def _freeze(point: Path) -> None:
    fd = os.open(point, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, _FIFREEZE, 0)
    finally:
        os.close(fd)


@contextmanager
def _guarded(point: Path) -> Iterator[None]:
    """A process that thaws ``point`` when this block, or this process, ends."""
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(thaw_guard.__file__)), str(point)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A session of its own: the guard must survive Ctrl-C.
        start_new_session=True,
    )
    assert guard.stdin is not None and guard.stdout is not None
    try:
        if guard.stdout.readline() != b"ready\n":
            raise SegfleetError(f"cannot freeze {point}: the guard that would thaw it did not start")
        yield
    finally:
        guard.stdin.close()
        guard.wait()
        guard.stdout.close()
