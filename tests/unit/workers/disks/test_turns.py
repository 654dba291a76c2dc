"""Workers take turns at a disk; nobody waits for the dead, nor for ever for the living."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.deadlines import DEADLINE_S, eventually
from workers.disks.turns import Turns
from workers.sources.in_turns import read_in_turns

#: Reads 80 MiB in turns; a line at the end of the log for the begin of each step, and one for its end.
READER = """
import os, sys
from pathlib import Path
from workers.sources.in_turns import read_in_turns
from workers.disks.turns import Turns

log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)

def fill(step):
    os.write(log, f"{os.getpid()} begins\\n".encode())
    step[:] = bytes(len(step))
    os.write(log, f"{os.getpid()} ends\\n".encode())

turns = Turns(Path(sys.argv[1]), "read-sda", int(sys.argv[3]))
for _ in range(20):
    read_in_turns(fill, memoryview(bytearray(4 * 1024 * 1024)), turns=turns, beat=lambda: None)
"""

#: Takes the turn, says so, and keeps it until it is ended.
HOLDER = """
import sys
from pathlib import Path
from workers.disks.turns import Turns

with Turns(Path(sys.argv[1]), "read-sda", 1).turn():
    print("taken", flush=True)
    sys.stdin.read()
"""


@contextmanager
def program(text: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", text, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("count", [1, 2])
def test_no_more_workers_read_at_the_same_time_than_may(tmp_path: Path, count: int) -> None:
    log = tmp_path / "log"
    log.touch()
    with (
        program(READER, tmp_path, log, count) as a,
        program(READER, tmp_path, log, count) as b,
        program(READER, tmp_path, log, count) as c,
    ):
        assert [process.wait(DEADLINE_S) for process in (a, b, c)] == [0, 0, 0]
    reading: set[str] = set()
    most_count = 0
    for pid, what in map(str.split, log.read_text().splitlines()):
        reading.symmetric_difference_update({pid})
        assert (pid in reading) == (what == "begins")
        most_count = max(most_count, len(reading))
    assert most_count <= count


def test_a_killed_holder_frees_its_turn(tmp_path: Path) -> None:
    with program(HOLDER, tmp_path) as holder, ThreadPoolExecutor(1) as pool:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "taken\n"
        waiting = pool.submit(_take_turn, Turns(tmp_path, "read-sda", 1, patience_s=2 * DEADLINE_S))
        holder.kill()
        waiting.result(DEADLINE_S)


def test_nobody_waits_for_ever_for_a_holder_that_is_stuck(tmp_path: Path) -> None:
    with Turns(tmp_path, "read-sda", 1).turn():
        _take_turn(Turns(tmp_path, "read-sda", 1, patience_s=0.01))


def test_turns_at_other_disks_are_others(tmp_path: Path) -> None:
    with Turns(tmp_path, "read-sda", 1).turn():
        _take_turn(Turns(tmp_path, "read-sdb", 1, patience_s=2 * DEADLINE_S))


def test_who_waits_shows_life_when_the_turn_changes_hands(tmp_path: Path) -> None:
    beats: list[None] = []

    def change_hands() -> list[None]:
        (tmp_path / "read-sda.0").touch()
        return beats

    with ThreadPoolExecutor(1) as pool, Turns(tmp_path, "read-sda", 1).turn():
        waiting = Turns(tmp_path, "read-sda", 1, patience_s=2 * DEADLINE_S)
        pool.submit(_take_turn, waiting, lambda: beats.append(None))
        eventually(change_hands, "the one who waits shows life")


def test_without_turns_a_buffer_is_filled_at_once() -> None:
    sizes: list[int] = []
    read_in_turns(lambda step: sizes.append(len(step)), memoryview(bytearray(10_000_000)), turns=None, beat=print)
    assert sizes == [10_000_000]


def test_in_turns_a_buffer_is_filled_in_order_and_each_step_is_a_sign_of_life(tmp_path: Path) -> None:
    buffer, source, beats = bytearray(5_000_000), memoryview(bytes(range(250)) * 20_000), []
    done = 0

    def fill(step: memoryview) -> None:
        nonlocal done
        step[:] = source[done : done + len(step)]
        done += len(step)

    turns = Turns(tmp_path, "read-sda", 1)
    read_in_turns(fill, memoryview(buffer), turns=turns, beat=lambda: beats.append(done))
    assert buffer == source
    assert beats == [2 * 1024 * 1024, 4 * 1024 * 1024, 5_000_000]


def _take_turn(turns: Turns, beat: Callable[[], object] = lambda: None) -> None:
    with turns.turn(beat):
        pass
