"""The server of a poor file system: ``python poor_server.py FOLDER BEHIND LACKS``, LACKS parted by commas.

All that it keeps lies in the folder BEHIND; what FOLDER shows is poorer by LACKS.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import Any

import mfusepy

_LONGEST_NAME_BYTES = 100
_FEW_LINKS = 2
_S = 1_000_000_000


class PoorFiles(mfusepy.Operations):  # type: ignore[misc]
    """Passes everything on, but for what it lacks."""

    use_ns = True

    def __init__(self, behind: str, lacks: frozenset[str]) -> None:
        self._behind = behind
        self._lacks = lacks

    def _refuse(self, lack: str, code: int = errno.EPERM) -> None:
        if lack in self._lacks:
            raise OSError(code, os.strerror(code))

    def _at(self, path: str) -> str:
        return self._behind + path

    def _new(self, path: str) -> str:
        name = os.fsencode(path.rpartition("/")[2])
        if len(name) > _LONGEST_NAME_BYTES:
            self._refuse("long names", errno.ENAMETOOLONG)
        if any(byte in b'\\:*?"<>|' or byte < 32 or byte > 126 for byte in name):
            self._refuse("odd names", errno.EILSEQ)
        return self._at(path)

    # ---- what is there

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        found = os.lstat(self._at(path))
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_rdev", "st_blocks")
        shown = {name: getattr(found, name) for name in names}
        step_ns = _S if "nanoseconds" in self._lacks else 1
        for name in ("st_atime", "st_mtime", "st_ctime"):
            shown[name] = getattr(found, f"{name}_ns") // step_ns * step_ns
        if "modes kept" in self._lacks:
            shown["st_mode"] = stat.S_IFMT(found.st_mode) | 0o755
        return shown

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        with os.scandir(self._at(path)) as found:
            return [(item.name, {"st_ino": item.inode()}, 0) for item in found]

    def readlink(self, path: str) -> str:
        return os.readlink(self._at(path))

    def statfs(self, path: str) -> dict[str, int]:
        room = os.statvfs(self._at(path))
        return {name: getattr(room, name) for name in dir(room) if name.startswith("f_")}

    def listxattr(self, path: str) -> list[str]:
        return os.listxattr(self._at(path), follow_symlinks=False)

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:
        self._refuse("attributes", errno.ENOTSUP)
        return os.getxattr(self._at(path), name, follow_symlinks=False)

    # ---- metadata

    def chmod(self, path: str, mode: int) -> None:
        self._refuse("modes")
        if "modes kept" not in self._lacks:
            os.chmod(self._at(path), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        self._refuse("owners")
        if "owners kept" not in self._lacks:
            os.lchown(self._at(path), uid, gid)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        self._refuse("times")
        if times is None:
            os.utime(self._at(path), follow_symlinks=False)
        else:
            os.utime(self._at(path), ns=times, follow_symlinks=False)

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> None:
        self._refuse("attributes", errno.ENOTSUP)
        os.setxattr(self._at(path), name, value, options, follow_symlinks=False)

    def removexattr(self, path: str, name: str) -> None:
        os.removexattr(self._at(path), name, follow_symlinks=False)

    # ---- entries

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(self._new(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self._at(path))

    def unlink(self, path: str) -> None:
        os.unlink(self._at(path))

    def rename(self, old: str, new: str) -> None:
        os.rename(self._at(old), self._new(new))

    def symlink(self, target: str, source: str) -> None:
        self._refuse("symlinks")
        os.symlink(source, self._new(target))

    def link(self, target: str, source: str) -> None:
        self._refuse("hard links")
        if os.lstat(self._at(source)).st_nlink >= _FEW_LINKS:
            self._refuse("many links", errno.EMLINK)
        os.link(self._at(source), self._new(target), follow_symlinks=False)

    def mknod(self, path: str, mode: int, dev: int) -> None:
        self._refuse("nodes")
        os.mknod(self._new(path), mode, dev)

    # ---- files

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        return os.open(self._new(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self._at(path), os.O_RDWR)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(self._at(path) if fh is None else fh, length)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        os.fsync(fh)

    def release(self, path: str, fh: int) -> None:
        os.close(fh)


def main() -> None:
    folder, behind, lacks = sys.argv[1:]
    os.umask(0)
    # One thread: os.open and the others answer at once.
    mfusepy.FUSE(
        PoorFiles(behind, frozenset(lacks.split(","))),
        folder,
        foreground=True,
        nothreads=True,
        allow_other=True,
        default_permissions=True,
        use_ino=True,
        attr_timeout=0,
        entry_timeout=0,
        fsname="poor",
    )


if __name__ == "__main__":
    main()
