"""A file system whose server never answers: whoever looks at its mount point waits for ever."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.needs import need, need_root


@contextmanager
def hung_mount(folder: Path) -> Iterator[Path]:
    """A FUSE mount on ``folder``, which is made; the test is its server, and reads no request."""
    need_root("mount a file system that hangs")
    need(os.path.exists("/dev/fuse"), "there is no /dev/fuse")
    folder.mkdir()
    server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    try:
        options = f"fd={server},rootmode=40755,user_id=0,group_id=0"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"hung", os.fsencode(folder), b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), f"cannot mount: {os.strerror(ctypes.get_errno())}")
        try:
            yield folder
        finally:
            # Everybody who waits is told that the connection is gone.
            os.close(server)
            server = -1
            subprocess.run(["umount", "-l", folder], check=True)
    finally:
        if server >= 0:
            os.close(server)
