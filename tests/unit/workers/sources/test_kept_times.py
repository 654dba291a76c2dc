"""Files seen from another host: what is swapped in shows by its time of change, wherever that is kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from tasks.sources.states import WalkedStates
from tasks.values import Extent, Extents
from workers.sources.files import SourceFiles
from workers.sources.kept_times import KeptTimes, Views
from workers.sources.place import Place
from workers.sources.stream import ExtentStream

NAMES = [f"file{number:02}" for number in range(20)]
WALKED = "0" * 32


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / name).write_bytes(b"good")
        # As of files that were not written just now: their time of change is another one.
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    return tmp_path


def walked(root: Path, names: Sequence[str] = NAMES) -> WalkedStates:
    found = [(root / name).stat() for name in names]
    return WalkedStates(
        mtimes_ns=[status.st_mtime_ns for status in found],
        ctimes_ns=[status.st_ctime_ns for status in found],
        modes=[status.st_mode & 0o7777 for status in found],
        uids=[status.st_uid + 1000 for status in found],
        gids=[status.st_gid + 1000 for status in found],
    )


def swap(root: Path, name: str) -> None:
    (root / "evil").write_bytes(b"evil")
    os.utime(root / "evil", ns=(10**18, 10**18))
    (root / "evil").rename(root / name)


def changed(root: Path, states: WalkedStates, views: Views, names: Sequence[str] = NAMES) -> list[str]:
    extents = Extents.of([Extent(path=name, offset_bytes=0, size_bytes=4) for name in names])
    with SourceFiles(Place("s", root)) as files:
        kept_times = views.kept_times(WALKED, files, extents, states)
        assert kept_times is not None
        with ExtentStream(files, extents, states, kept_times=kept_times) as stream:
            stream.fill(memoryview(bytearray(extents.total_bytes)))
    return [names[note.index] for note in stream.notes if note.trouble == "changed"]


@pytest.mark.parametrize("name", [NAMES[0], NAMES[7], NAMES[-1]])
def test_a_file_swapped_in_with_the_same_size_and_time_of_writing_is_changed(root: Path, name: str) -> None:
    states = walked(root)
    swap(root, name)
    assert changed(root, states, Views()) == [name]


def test_what_one_order_proves_counts_for_a_later_one_of_a_single_file(root: Path) -> None:
    states, views = walked(root), Views()
    assert changed(root, states, views) == []
    swap(root, NAMES[3])
    alone = walked(root, NAMES[3:4])
    assert changed(root, replace(alone, ctimes_ns=states.ctimes_ns[3:4]), views, NAMES[3:4]) == [NAMES[3]]


def test_a_view_that_does_not_keep_times_of_change_makes_no_file_changed(root: Path) -> None:
    states = walked(root)
    others = replace(states, ctimes_ns=[time_ns - 10**12 for time_ns in states.ctimes_ns])
    assert changed(root, others, Views()) == []


def test_a_time_of_writing_set_to_the_walked_time_of_change_proves_nothing(root: Path) -> None:
    """As FUSE shows it, where the time of change is always that of writing."""
    states = walked(root)
    os.utime(root / NAMES[0], ns=(states.ctimes_ns[0], states.ctimes_ns[0]))
    found = (root / NAMES[0]).stat()
    as_fuse = os.stat_result(
        tuple(found)[:10], {"st_mtime_ns": states.ctimes_ns[0], "st_ctime_ns": states.ctimes_ns[0]}
    )
    assert not KeptTimes().is_kept(states, 0, as_fuse)
