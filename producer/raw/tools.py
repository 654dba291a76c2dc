"""Runs the tools of other projects that know the file systems."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

#: Reading the bitmaps of a disk of many TB takes a minute or two; a tool that hangs must not hold a backup.
TIME_LIMIT_S = 600.0

#: Where the tools of file systems are, which is not in everybody's PATH.
_FOLDERS = "/usr/sbin:/sbin:/usr/local/sbin"


class ToolError(Exception):
    """A tool is missing, failed, or took too long; the text says which and why."""


def find_tool(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_FOLDERS}")


def run_tool(name: str, *arguments: str | Path, accepted: Sequence[int] = (0,)) -> str:
    """What the tool prints; raises ToolError.  Its locale is C, so that its words can be read."""
    found = find_tool(name)
    if found is None:
        raise ToolError(f"{name} is not installed")
    try:
        done = subprocess.run(
            [found, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIME_LIMIT_S,
            env={**os.environ, "LC_ALL": "C", "DEBUGFS_PAGER": "cat", "PAGER": "cat"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{name}: {error}") from error
    if done.returncode not in accepted:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise ToolError(f"{name} ended with {done.returncode}: {words[-1] if words else 'no message'}")
    return done.stdout.decode(errors="surrogateescape")


def file_system_of(volume: Path) -> str:
    """The type of the file system on a volume, as ``blkid`` calls it; "" when there is none or it cannot be told."""
    try:
        # 2: nothing was found; 8: it could be several, as on a disk with partitions.
        return run_tool("blkid", "-p", "-s", "TYPE", "-o", "value", volume, accepted=(0, 2, 8)).strip()
    except ToolError:
        return ""
