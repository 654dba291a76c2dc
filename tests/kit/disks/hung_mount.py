"""A file system whose server never answers: anyone who looks at its mount point waits for ever."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.needs import need, need_root


@contextmanager
def hung_mount(folder: Path) -> Iterator[Path]:
    """A FUSE mount on ``folder``, which is made; the test is its server, and reads no request."""
    need_root("mount a file system that hangs")
    need(os.path.exists("/dev/fuse"), "there is no /dev/fuse")
    folder.mkdir()
    release = hang(folder)
    try:
        yield folder
    finally:
        release()


def hang(folder: Path) -> Callable[[], None]:
    """Mount it over ``folder``; returns what takes it away.  Raises OSError where that is not possible."""
    server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={server},rootmode=40755,user_id=0,group_id=0"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"hung", os.fsencode(folder), b"fuse", 0, options.encode()):
        code = ctypes.get_errno()
        os.close(server)
        raise OSError(code, f"cannot mount: {os.strerror(code)}")

    def release() -> None:
        # Everybody who waits is told that the connection is gone.
        os.close(server)
        subprocess.run(["umount", "-l", folder], check=True)

    return release
