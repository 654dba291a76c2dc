"""What must be done in the end is done once: by its owner, or by anyone who comes after a crash."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from kit.deadlines import DEADLINE_S
from producer.host.state import StateFolder
from producer.raw.quiesce.duties import Duties
from producer.raw.quiesce.hooks import HookError, Hooks, hooks_run

#: Beyond the largest number that Linux gives to a process.
_NO_PROCESS = 2**22 + 1


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    (tmp_path / "state").mkdir()
    return StateFolder(path=tmp_path / "state")


def written(state: StateFolder) -> list[Path]:
    return list((state.path / "duties").glob("*"))


def test_a_duty_is_written_down_for_as_long_as_its_block_runs(state: StateFolder) -> None:
    with Duties(state).remember({"kind": "post"}):
        assert len(written(state)) == 1
    assert written(state) == []


def test_duties_of_living_processes_are_left_alone_and_those_of_dead_ones_done_once(state: StateFolder) -> None:
    done: list[dict[str, Any]] = []
    with Duties(state).remember({"kind": "post", "of": "me"}):
        orphan = {"kind": "post", "of": "orphan", "pid": _NO_PROCESS, "started": "1"}
        (state.path / "duties/orphan.json").write_text(json.dumps(orphan))
        Duties(state).finish_old(done.append)
        Duties(state).finish_old(done.append)
        assert [duty["of"] for duty in done] == ["orphan"]


def test_a_number_that_another_process_has_by_now_is_a_dead_owner(state: StateFolder) -> None:
    done: list[dict[str, Any]] = []
    (state.path / "duties").mkdir()
    row = {"kind": "post", "pid": os.getpid(), "started": "not when this process began"}
    (state.path / "duties/old.json").write_text(json.dumps(row))
    Duties(state).finish_old(done.append)
    assert len(done) == 1


def hooks(tmp_path: Path, pre: str = "true", post: str = "") -> Hooks:
    return Hooks(
        volume="v", pre=pre, post=post or f'echo "$SEGFLEET_HOOK $SEGFLEET_VOLUME" >> {tmp_path}/log', limit_s=20
    )


def test_post_runs_after_success_and_after_failure_of_the_backup(state: StateFolder, tmp_path: Path) -> None:
    with hooks_run(hooks(tmp_path), state):
        assert not (tmp_path / "log").exists()
    with pytest.raises(ZeroDivisionError), hooks_run(hooks(tmp_path), state):
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt), hooks_run(hooks(tmp_path), state):
        raise KeyboardInterrupt
    assert (tmp_path / "log").read_text() == "post v\n" * 3
    assert written(state) == []


def test_nothing_is_backed_up_when_pre_fails_and_post_cleans_up(state: StateFolder, tmp_path: Path) -> None:
    with pytest.raises(HookError, match="pre command ended with 3"), hooks_run(hooks(tmp_path, "exit 3"), state):
        pytest.fail("the backup began")
    assert (tmp_path / "log").read_text() == "post v\n"


def test_a_post_that_fails_after_a_good_backup_is_told(state: StateFolder, tmp_path: Path) -> None:
    with pytest.raises(HookError, match="post command ended with 4"), hooks_run(hooks(tmp_path, post="exit 4"), state):
        pass


#: A backup in a process of its own, for signals that come at any time: prints what became of it.
BACKUP = """
import signal, sys
from pathlib import Path

from producer.host.signals import act_on_held_signal
from producer.host.state import StateFolder
from producer.raw.quiesce.hooks import Hooks, hooks_run

def outcome(act):
    try:
        act()
    except (KeyboardInterrupt, ZeroDivisionError) as error:
        return type(error).__name__
    return "done"

def back_up():
    hooks = Hooks(volume="v", pre=sys.argv[3], post=sys.argv[2], limit_s=60)
    with hooks_run(hooks, StateFolder(path=Path(sys.argv[1]))):
        if "fails" in sys.argv:
            raise ZeroDivisionError

signal.signal(signal.SIGINT, signal.default_int_handler)
print(outcome(back_up), outcome(act_on_held_signal), outcome(act_on_held_signal))
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def outcomes(state: StateFolder, post: str, *options: str, pre: str = "true") -> list[str]:
    """Of the backup, and of acting on a held signal, twice."""
    command = [sys.executable, "-c", BACKUP, str(state.path), post, pre, *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    outcome, is_as_before = ended.stdout.splitlines()
    assert is_as_before == "True"
    return outcome.split()


def test_a_signal_while_post_runs_after_a_good_backup_does_not_break_it_off(state: StateFolder, tmp_path: Path) -> None:
    found = outcomes(state, f"kill -INT $PPID; echo done >> {tmp_path}/log")

    assert found == ["done", "KeyboardInterrupt", "done"]
    assert (tmp_path / "log").read_text() == "done\n"


def test_a_post_that_a_second_signal_breaks_off_is_left_to_the_next_backup(state: StateFolder) -> None:
    found = outcomes(state, "while kill -INT $PPID; do sleep 0.3; done")

    assert found == ["KeyboardInterrupt", "KeyboardInterrupt", "done"]
    assert [json.loads(path.read_text())["kind"] for path in written(state)] == ["post"]


def test_a_post_that_a_signal_breaks_off_after_a_failed_backup_is_left_to_the_next_one(state: StateFolder) -> None:
    found = outcomes(state, "while sleep 0.3; do kill -INT $PPID || exit; done", "fails")

    assert found == ["KeyboardInterrupt", "done", "done"]
    assert [json.loads(path.read_text())["kind"] for path in written(state)] == ["post"]


def test_a_signal_while_a_command_starts_leaves_none_running(state: StateFolder, tmp_path: Path) -> None:
    pre = f"echo $$ >> {tmp_path}/pids; kill -INT $PPID; sleep 600"
    for _ in range(5):
        assert outcomes(state, "true", pre=pre) == ["KeyboardInterrupt", "done", "done"]

    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 5
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
