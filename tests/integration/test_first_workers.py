"""The process that forks a run's first workers: a fork of the command where that is safe, else a program of its own.

Each case is a process of its own, without threads at first, as a command is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.deadlines import DEADLINE_S

#: argv: folder for logs, settings.
_COMMAND = """
import fcntl, json, os, signal, sys, threading, time
from pathlib import Path
from producer.fleet.spawn import FirstWorkers

signal.signal(signal.SIGTERM, lambda number, frame: None)
locked = open(sys.argv[1] + "/lock", "w")
fcntl.flock(locked, fcntl.LOCK_EX)
print("printed by the command")
if "thread" in sys.argv:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
first = FirstWorkers(["a", "b"], Path(sys.argv[1]))
first.begin()
os.set_inheritable(locked.fileno(), True)
proc = Path("/proc", str(first._process.pid))
if "look" in sys.argv:
    while b"workers" not in (words := (proc / "cmdline").read_bytes().split(b"\\0")):
        time.sleep(0.001)
    status = dict(line.split(":\\t", 1) for line in (proc / "status").read_text().splitlines())
    print(json.dumps({
        "shown": [word.decode() for word in words],
        "handled": [number for number in (1, 15) if int(status["SigCgt"], 16) >> (number - 1) & 1],
        "files": sorted(os.readlink(path) for path in (proc / "fd").iterdir()),
        "session": os.getsid(first._process.pid) == first._process.pid,
    }))
print(first.start(sys.argv[2].encode()))
"""


def begin(folder: Path, settings: str, *how: str) -> list[str]:
    command = [sys.executable, "-P", "-c", _COMMAND, str(folder), settings, *how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_takes_nothing_from_the_command_but_its_modules(tmp_path: Path) -> None:
    printed, looked, _ = begin(tmp_path, "no settings", "look")

    seen = json.loads(looked)
    assert printed == "printed by the command"
    assert "workers" in seen["shown"]
    assert seen["handled"] == []
    assert str(tmp_path / "lock") not in seen["files"]
    assert seen["session"]


@pytest.mark.parametrize("how", [[], ["thread"]], ids=["forked", "beside a thread"])
def test_one_that_cannot_read_its_settings_has_no_workers_and_says_why(tmp_path: Path, how: list[str]) -> None:
    *_, workers = begin(tmp_path, "no settings", *how)

    assert workers == "{}"
    assert "JSONDecodeError" in (tmp_path / "workers.log").read_text()
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".log") and name != "workers.log"]
