"""What a test needs of its machine.  What is missing skips the test; where CI runs it fails the test."""

from __future__ import annotations

import os
import shutil

import pytest

#: Where Debian keeps what only root uses; it is not on the PATH of everybody.
SYSTEM_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def need(condition: object, why: str) -> None:
    """Skip the test unless ``condition`` holds.  Fail it instead where the environment says ``CI``."""
    if condition:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must run this test: {why}")
    pytest.skip(why)


def need_root(why: str) -> None:
    need(os.geteuid() == 0, f"only root can {why}")


def need_tools(*names: str) -> None:
    missing = [name for name in names if shutil.which(name, path=SYSTEM_PATH) is None]
    need(not missing, f"not installed: {', '.join(missing)}")


def program(name: str) -> str:
    """The path of a program that the test needs."""
    need_tools(name)
    return str(shutil.which(name, path=SYSTEM_PATH))


def need_loop_devices() -> None:
    need_root("use loop devices")
    need(os.path.exists("/dev/loop-control"), "there are no loop devices")


def need_free_space(folder: str | os.PathLike[str], size_bytes: int) -> None:
    room = os.statvfs(folder)
    need(room.f_bavail * room.f_frsize >= size_bytes, f"{folder} has no {size_bytes / 1e9:.0f} GB free")
