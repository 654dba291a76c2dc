"""What the kernel says of entries comes out by column, as ``os.lstat`` has it, whichever way the kernel was asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from producer.walk.status import Status, StatusColumns, file_system_of, mode_and_sizes, node_of, status_at, status_from

#: One second and a nanosecond before 1970: a whole number of seconds is not cut, but rounded down.
BEFORE_1970_NS = -1_000_000_001


def make_entries(folder: Path) -> list[Path]:
    file, link, below = folder / "file", folder / "link", folder / "below"
    file.write_bytes(b"x" * 5000)
    file.chmod(0o4751)
    os.utime(file, ns=(0, BEFORE_1970_NS))
    os.link(file, folder / "other name")
    link.symlink_to("nowhere")
    below.mkdir()
    return [file, link, below, Path("/dev/null")]


@pytest.mark.parametrize("ask", [status_at, lambda path: status_from(os.lstat(path))], ids=["statx", "stat"])
def test_every_number_is_that_of_lstat(tmp_path: Path, ask: Callable[[str], Status]) -> None:
    paths = make_entries(tmp_path)
    statuses, seen = [ask(str(path)) for path in paths], [os.lstat(path) for path in paths]
    columns = StatusColumns(statuses)
    assert columns.modes() == [one.st_mode for one in seen]
    assert columns.uids() == [one.st_uid for one in seen]
    assert columns.gids() == [one.st_gid for one in seen]
    assert columns.links_counts() == [one.st_nlink for one in seen]
    assert columns.inodes() == [one.st_ino for one in seen]
    assert columns.sizes_bytes() == [one.st_size for one in seen]
    assert columns.mtimes_ns() == [one.st_mtime_ns for one in seen]
    assert columns.mtimes_ns()[0] == BEFORE_1970_NS
    assert columns.ctimes_ns() == [one.st_ctime_ns for one in seen]
    assert [file_system_of(one) for one in statuses] == [one.st_dev for one in seen]
    assert [node_of(one) for one in statuses] == [one.st_rdev for one in seen]
    assert mode_and_sizes(statuses[0]) == (stat.S_IFREG | 0o4751, 5000, seen[0].st_blocks)


def test_without_statx_nobody_knows_births_and_flags(tmp_path: Path) -> None:
    columns = StatusColumns([status_from(os.lstat(path)) for path in make_entries(tmp_path)])
    assert columns.births_ns() == [None] * 4
    assert columns.flags() == []
