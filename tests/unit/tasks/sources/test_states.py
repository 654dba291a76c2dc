"""What the walk saw of files: how it travels, and what counts as another file."""

from __future__ import annotations

import base64
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tasks.sources.states import WalkedStates, pack_states, unpack_states

TIMES = st.integers(-(2**63), 2**63 - 1)
NUMBERS = st.integers(0, 2**32 - 1)
ROWS = st.lists(st.tuples(TIMES, TIMES, st.integers(0, 0o7777), NUMBERS, NUMBERS), min_size=1)


def states_of(rows: list[tuple[int, ...]]) -> WalkedStates:
    mtimes_ns, ctimes_ns, modes, uids, gids = (tuple(column) for column in zip(*rows, strict=True))
    return WalkedStates(mtimes_ns=mtimes_ns, ctimes_ns=ctimes_ns, modes=modes, uids=uids, gids=gids)


# A busy machine is no fault.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS)
def test_states_come_back_as_they_were_packed(rows: list[tuple[int, ...]]) -> None:
    assert unpack_states(pack_states(states_of(rows)), len(rows)) == states_of(rows)


def packed(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "text",
    [
        "no base64",
        packed(b"not compressed"),
        packed(zlib.compress(bytes(25))),
        packed(zlib.compress(bytes(52))),
        packed(zlib.compress(bytes(10**7))),
        packed(zlib.compress(bytes(26))[:-3]),
        packed(zlib.compress(bytes(26)) + b"more"),
    ],
    ids=["text", "raw", "short", "long", "endless", "cut", "tail"],
)
def test_what_is_not_the_states_of_so_many_files_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack_states(text, 1)


def seen(status: os.stat_result) -> WalkedStates:
    mode = status.st_mode & 0o7777
    return states_of([(status.st_mtime_ns, status.st_ctime_ns, mode, status.st_uid, status.st_gid)])


@pytest.fixture
def status(tmp_path: Path) -> os.stat_result:
    (tmp_path / "file").write_bytes(b"x")
    return (tmp_path / "file").stat()


@pytest.mark.parametrize("column", ["mtimes_ns", "ctimes_ns", "modes", "uids", "gids"])
def test_in_the_same_view_every_difference_counts(status: os.stat_result, column: str) -> None:
    walked = seen(status)
    assert walked.difference(0, status, is_same_view=True, is_piece=False) == ""
    other = replace(walked, **{column: (getattr(walked, column)[0] + 7007,)})
    assert other.difference(0, status, is_same_view=True, is_piece=False) != ""


@pytest.mark.parametrize(("mode", "counts"), [(0o755, False), (0o4755, True), (0o2755, True)])
def test_in_another_view_owners_count_where_a_file_runs_as_its_owner(
    status: os.stat_result, mode: int, counts: bool
) -> None:
    other = replace(seen(status), modes=(mode,), uids=(status.st_uid + 1,))
    assert bool(other.difference(0, status, is_same_view=False, is_piece=False)) is counts


@pytest.mark.parametrize("keeps_ctime", [False, True])
def test_in_another_view_the_time_of_change_counts_where_it_is_kept(status: os.stat_result, keeps_ctime: bool) -> None:
    other = replace(seen(status), ctimes_ns=(status.st_ctime_ns - 5 * 10**9,))
    difference = other.difference(0, status, is_same_view=False, is_piece=False, keeps_ctime=keeps_ctime)
    assert bool(difference) is keeps_ctime


@pytest.mark.parametrize(("mode", "counts"), [(0o755, False), (0o4755, True)])
def test_a_file_with_segments_of_its_own_may_be_written_unless_it_runs_as_its_owner(
    status: os.stat_result, mode: int, counts: bool
) -> None:
    walked = seen(status)
    written = replace(walked, mtimes_ns=(walked.mtimes_ns[0] - 5,), ctimes_ns=(walked.ctimes_ns[0] - 5,), modes=(mode,))
    assert bool(written.difference(0, status, is_same_view=False, is_piece=True)) is counts
