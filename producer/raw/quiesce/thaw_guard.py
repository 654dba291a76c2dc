"""A process that thaws a file system when its standard input closes, because its parent closed it or died.

Runs as a script with the mount point as argument; imports only the standard library.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys

_FITHAW = 0xC0045878


def thaw(fd: int) -> None:
    """Thaw the file system of the open directory; does nothing if it is not frozen."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, _FITHAW, 0)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    fd = os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY)
    os.write(1, b"ready\n")
    while os.read(0, 64):
        pass
    thaw(fd)


if __name__ == "__main__":
    main()
