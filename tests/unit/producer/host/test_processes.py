"""Telling processes from later ones of the same number."""

from __future__ import annotations

import os
import subprocess
import sys

from kit.deadlines import eventually
from producer.host.processes import is_running, pid_space, start_of


def test_a_process_is_running_until_it_ends_although_nobody_has_asked_how_it_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = start_of(process.pid)
    assert is_running(process.pid, start)

    process.kill()
    # Not waited for: it stays as a zombie.
    eventually(lambda: not is_running(process.pid, start), "the killed process is gone")
    process.communicate()
    assert not is_running(process.pid, start)


def test_another_process_of_the_same_number_is_another_one() -> None:
    assert is_running(os.getpid(), start_of(os.getpid()))
    assert not is_running(os.getpid(), "1")


def test_a_process_of_another_user_is_running() -> None:
    assert is_running(1, start_of(1))


def test_a_number_means_the_same_process_to_all_children() -> None:
    code = "from producer.host.processes import pid_space; print(pid_space())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == pid_space() != ""
