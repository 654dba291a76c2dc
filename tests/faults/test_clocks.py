"""Wall clocks that jump in the middle of a backup: leases live by the broker's, durations by the monotonic clock."""

from __future__ import annotations

import time

import pytest

from kit.program.clock import FakeClock
from kit.program.machine import Machine
from kit.program.processes import broker
from kit.program.scene import Scene


@pytest.mark.parametrize("days", [3, -3])
def test_a_backup_goes_on_when_the_clock_of_its_host_jumps(machine: Machine, days: int) -> None:
    clock = FakeClock(machine.folder)
    scene = Scene(machine, rate="256KiB")
    running = scene.start(**clock.settings)

    clock.jump(days=days)
    with broker(machine) as client:
        assert abs(client.time()[0] - time.time()) > 2 * 24 * 3600
    scene.wait_until_stored(running, 5)
    clock.jump(days=0)
    done = scene.finish(running)

    assert done.errors == []
    assert "replacing the worker" not in done.stderr
    # Others may be rerouted, to keep devices of unequal speed busy.
    assert " segments go to " not in done.stderr
    assert done.summary["segments_retried"] == 0
    assert 0 < done.summary["duration_s"] < 120
    scene.prove(done)
