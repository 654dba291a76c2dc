"""A manager's child: a process of its own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kit.deadlines import eventually
from producer.manager.child import Child


def exit_code(child: Child) -> int | None:
    child.lines()
    return child.exit_code()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_child_that_is_ended_while_it_starts_counts_as_interrupted_and_one_that_was_killed_does_not(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    # It never comes to handle a signal.
    (tmp_path / "sitecustomize.py").write_text("import signal\nsignal.pause()\n")
    child = Child(["snapshots"], variables={"PYTHONPATH": str(tmp_path)})

    child.signal(number)

    try:
        assert eventually(lambda: exit_code(child), "it has ended") == code
    finally:
        child.end()
