"""Runs the tools of file systems, which come from other projects."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from producer.raw.bounded import OutOfBoundsError, run_bounded

#: Reading the bitmaps of a disk of many TB takes a minute or two; a tool that hangs must not block a backup.
TIME_LIMIT_S = 600.0

#: The bitmaps of 100 TB in words.  Of a hostile file system a tool may have anything to say.
MAX_OUTPUT_BYTES = 512 * 1024 * 1024

#: Where the tools of file systems are; not in every user's PATH.
_FOLDERS = "/usr/sbin:/sbin:/usr/local/sbin"


class ToolError(Exception):
    """A tool is missing, failed or took too long; the text says which and why."""


def find_tool(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_FOLDERS}")


def run_tool(name: str, *arguments: str | Path, accepted: Sequence[int] = (0,)) -> str:
    """The tool's output; raises ToolError.  Its locale is C, so that its output can be parsed."""
    done = _run(name, arguments)
    if done.returncode not in accepted:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise ToolError(f"{name} ended with {done.returncode}: {words[-1] if words else 'no message'}")
    return done.stdout.decode(errors="surrogateescape")


def _run(name: str, arguments: Sequence[str | Path]) -> subprocess.CompletedProcess[bytes]:
    found = find_tool(name)
    if found is None:
        raise ToolError(f"{name} is not installed")
    command, environment = [found, *map(str, arguments)], {**os.environ, "LC_ALL": "C"}
    try:
        return run_bounded(command, environment, limit_s=TIME_LIMIT_S, most_bytes=MAX_OUTPUT_BYTES)
    except (OSError, OutOfBoundsError) as error:
        raise ToolError(f"{name}: {error}") from error


def file_system_of(raw_volume: Path) -> str:
    """The type of the file system on a raw volume, as ``blkid`` calls it; "" when there is none or it is unknown."""
    try:
        # 2: nothing was found; 8: ambiguous, as on a disk with partitions.
        return run_tool("blkid", "-p", "-s", "TYPE", "-o", "value", raw_volume, accepted=(0, 2, 8)).strip()
    except ToolError:
        return ""
