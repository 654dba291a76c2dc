"""A file system that keeps less than Linux's own do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from pathlib import Path

from kit.deadlines import eventually
from kit.needs import need, need_root

_SERVER = Path(__file__).with_name("poor_server.py")


@contextmanager
def poor_mount(folder: Path, *lacks: str) -> Iterator[Path]:
    """One that lacks these, mounted on ``folder``, which is made; what it keeps lies in a folder beside it.

    It refuses owners, modes, times, attributes, symlinks, hard links, nodes, long names, odd names; says that it has
    set them but has not: ``modes kept``, ``owners kept``; and rounds: ``nanoseconds``.
    """
    need_root("mount a file system of the tests' own")
    need(os.path.exists("/dev/fuse"), "there is no /dev/fuse")
    need(find_library("fuse3") or find_library("fuse"), "libfuse is not installed")
    behind = folder.with_name(f"{folder.name}.behind")
    behind.mkdir()
    folder.mkdir()
    server = subprocess.Popen([sys.executable, _SERVER, folder, behind, ",".join(lacks)])
    try:
        eventually(lambda: folder.is_mount() or server.poll() is not None, f"{folder} is mounted")
        assert server.poll() is None, "the server has ended"
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)
        server.terminate()
        server.wait(60)
