"""Mounts by FUSE, and unmounts."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from producer.raw.mounts import UnknownMountsError, mounts
from producer.restore.mounted.operations import Operations
from tasks.errors import SegfleetError, UsageError

#: Nothing ever changes, so the kernel may remember for an hour what it has seen.
_KERNEL_KEEPS_S = 3600


#: How often the table of mounts is read.
_LOOK_EVERY_S = 1.0


class MountError(SegfleetError):
    """The file system could not be mounted."""

    code = "mount"


def check_mountable(folder: Path) -> None:
    """Raises UsageError unless FUSE is there and the folder is empty, and not a mount point itself."""
    load_fuse()
    try:
        names = os.listdir(folder)
    except FileNotFoundError as error:
        raise UsageError(f"{folder} does not exist", hint=f"make it: mkdir {folder}", path=str(folder)) from error
    except NotADirectoryError as error:
        raise UsageError(f"{folder} is not a folder", hint="name an empty folder", path=str(folder)) from error
    except OSError as error:
        hint = f"unmount what is left of an earlier mount: {unmount_command(folder)}"
        if error.errno != errno.ENOTCONN:
            hint = "name an empty folder that you can enter"
        raise UsageError(f"{folder} cannot be used: {error.strerror}", hint=hint, path=str(folder)) from error
    if os.path.ismount(folder):
        raise UsageError(f"something is mounted on {folder}", hint=f"unmount it: {unmount_command(folder)}")
    if names:
        raise UsageError(f"{folder} is not empty", hint="name an empty folder", path=str(folder))


def load_fuse() -> Any:
    """The module ``mfusepy``.  Raises UsageError where it, libfuse or the kernel's part is missing."""
    if not Path("/dev/fuse").exists():
        raise UsageError(
            "there is no /dev/fuse", hint="load the kernel's module: modprobe fuse; in a container: --device /dev/fuse"
        )
    try:
        # Only here: an extra, and it loads libfuse.
        import mfusepy
    except ModuleNotFoundError as error:
        raise UsageError("mount needs mfusepy", hint="pip install 'segfleet[mount]'") from error
    except (OSError, AttributeError) as error:
        raise UsageError(f"libfuse cannot be loaded: {error}", hint="install it: apt install fuse3") from error
    return mfusepy


def unmount_command(folder: Path) -> str:
    return f"{_fusermount() or 'fusermount3'} -u {folder}"


def _fusermount() -> str | None:
    return next((name for name in ("fusermount3", "fusermount") if shutil.which(name)), None)


class Mount:
    """A mounted file system, served by threads of its own until it is unmounted."""

    def __init__(self, operations: Operations, folder: Path, *, allow_other: bool) -> None:
        self._operations = operations
        self._folder = folder
        self._allow_other = allow_other
        self._failure: BaseException | None = None
        #: As the kernel has it, without symlinks.
        self._point = os.path.realpath(folder)
        self._next_look_s = 0.0
        # A thread that the kernel keeps busy must not keep the process.
        self._thread = Thread(target=self._serve, name="fuse", daemon=True)

    def start(self) -> None:
        """Raises MountError if it cannot be mounted."""
        self._thread.start()
        while not self._operations.mounted.wait(0.05):
            if not self._thread.is_alive():
                raise self._why_not_mounted()

    @property
    def is_over(self) -> bool:
        """Whether it has been unmounted, even if libfuse hangs in what it does then."""
        return not self._thread.is_alive() or self._is_unmounted()

    def _is_unmounted(self) -> bool:
        # Not by a look at the folder: this thread must not wait for those that serve it.
        if time.monotonic() < self._next_look_s:
            return False
        self._next_look_s = time.monotonic() + _LOOK_EVERY_S
        try:
            return all(mount.point != self._point for mount in mounts())
        except UnknownMountsError:
            return False

    def end(self) -> None:
        """Unmount it, if it still is mounted; anyone who has files open gets errors from now on."""
        for options in (("-u",), ("-u", "-z")):
            if self.is_over:
                return
            command = [_fusermount() or "fusermount3", *options, str(self._folder)]
            with suppress(OSError):
                subprocess.run(command, capture_output=True, check=False)
            self._thread.join(2.0)

    def _serve(self) -> None:
        fuse = load_fuse()
        try:
            fuse.FUSE(
                self._operations,
                str(self._folder),
                foreground=True,
                ro=True,
                nodev=True,
                nosuid=True,
                fsname="segfleet",
                subtype="segfleet",
                use_ino=True,
                kernel_cache=True,
                attr_timeout=_KERNEL_KEEPS_S,
                entry_timeout=_KERNEL_KEEPS_S,
                # Anyone who may mount may read all of the backup; others only what its modes allow.
                allow_other=self._allow_other,
                default_permissions=self._allow_other,
            )
        except BaseException as error:
            self._failure = error

    def _why_not_mounted(self) -> MountError:
        hint = "see the message above"
        if self._allow_other and os.geteuid():
            hint = "--allow-other needs the line user_allow_other in /etc/fuse.conf"
        return MountError(f"{self._folder} could not be mounted: libfuse says {self._failure}", hint=hint)
