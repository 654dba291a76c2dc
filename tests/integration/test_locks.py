"""Named locks between real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.deadlines import DEADLINE_S
from producer.host.device_locks import locked
from producer.host.patience import Patience
from producer.host.state import StateFolder
from tasks.errors import LockedError

HOLDER = """
import sys
from pathlib import Path
from producer.host.device_locks import locked
from producer.host.state import StateFolder

with locked(StateFolder(path=Path(sys.argv[1])), sys.argv[2], purpose="a backup of /home"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(path=tmp_path)
    state.locks_dir.mkdir()
    return state


@contextmanager
def holder(state: StateFolder, name: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(state.path), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_lock_that_another_process_holds_is_refused_and_says_who_has_it(state: StateFolder) -> None:
    with (
        holder(state, "device a") as process,
        pytest.raises(LockedError, match="device a is in use by a backup of /home") as caught,
        locked(state, "device a", purpose="a check"),
    ):
        pass
    assert f"pid {process.pid} on " in caught.value.message
    assert caught.value.exit_code == 11


def test_a_lock_is_waited_for_as_long_as_the_patience_lasts(state: StateFolder) -> None:
    with holder(state, "device a") as process:
        waits: list[int] = []

        def on_wait() -> None:
            waits.append(len(waits))
            if len(waits) == 2:
                process.kill()

        long = Patience(until_s=time.monotonic() + DEADLINE_S)
        with locked(state, "device a", purpose="a check", patience=long, on_wait=on_wait):
            assert len(waits) >= 2
    with (
        holder(state, "device a"),
        pytest.raises(LockedError, match="device a is in use by a backup of /home"),
        locked(state, "device a", purpose="a check", patience=Patience(until_s=time.monotonic() + 0.5)),
    ):
        pass


def test_a_killed_holder_leaves_no_lock_behind(state: StateFolder) -> None:
    with holder(state, "device a") as process:
        process.kill()
        process.wait()
        with locked(state, "device a", purpose="a check"):
            pass


def test_a_lock_is_free_again_after_its_block(state: StateFolder) -> None:
    for _ in range(2):
        with locked(state, "device a", purpose="a check"):
            pass


def test_locks_of_other_names_do_not_matter(state: StateFolder) -> None:
    with locked(state, "device a", purpose="x"), locked(state, "device b", purpose="x"):
        pass


def test_one_process_cannot_hold_a_lock_twice(state: StateFolder) -> None:
    with (
        locked(state, "volume home", purpose="a backup"),
        pytest.raises(LockedError, match=f"pid {os.getpid()} "),
        locked(state, "volume home", purpose="a backup"),
    ):
        pass


def test_a_name_cannot_leave_the_folder(state: StateFolder) -> None:
    with locked(state, "../../volume/é", purpose="x"):
        assert [path.name for path in state.locks_dir.iterdir()] == ["..%2F..%2Fvolume%2F%C3%A9.lock"]


def test_an_owner_that_has_not_said_its_name_yet_is_another_process(state: StateFolder) -> None:
    with locked(state, "device a", purpose="x"):
        (state.locks_dir / "device a.lock").write_bytes(b'{"pid": 1')
        with pytest.raises(LockedError, match="in use by another process"), locked(state, "device a", purpose="x"):
            pass


def test_a_started_program_does_not_share_the_lock(state: StateFolder) -> None:
    with locked(state, "device a", purpose="x"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with locked(state, "device a", purpose="x"):
            pass
    finally:
        child.kill()
        child.communicate()
