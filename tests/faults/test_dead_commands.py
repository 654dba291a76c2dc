"""A command or a broker that ends or stands still in the middle of a backup: nothing is lost, or stored twice."""

from __future__ import annotations

import signal
import time

import pytest

from kit.deadlines import eventually
from kit.program.command import Done, Running
from kit.program.machine import Machine
from kit.program.processes import broker, broker_pid, go_on, keeper_pid, kill, stop
from kit.program.scene import Scene
from tasks.broker.leases import LEASE_LIFE_S


@pytest.fixture
def scene(machine: Machine) -> Scene:
    made = Scene(machine)
    # When c has stored its first segment, the others have theirs in hand, for 9 s unless the brake is released.
    made.limit("64KiB", c="512KiB")
    return made


def codes(done: Done) -> list[str]:
    return [row["code"] for row in done.errors]


def end(scene: Scene, running: Running, number: signal.Signals) -> Done:
    """End the command; its devices are not let go before it begins nothing more."""
    running.signal(number)
    eventually(lambda: running.has_ended or "stopping" in running.stderr, "the signal is noticed")
    scene.brake.release()
    return running.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_an_ended_command_goes_on_where_it_was_and_stores_nothing_twice(scene: Scene, number: signal.Signals) -> None:
    running = scene.start()
    scene.wait_until_stored(running, 4)

    done = end(scene, running, number)
    scene.machine.wait_until_quiet()
    assert done.exit_code == (130 if number is signal.SIGINT else -signal.SIGKILL)
    before = {path: path.stat().st_mtime_ns for path in scene.machine.segments_on()}
    assert len(before) >= 4

    again = scene.go_on()

    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(scene.machine.segments_on()) == again.summary["segments"]
    scene.prove(again)


def test_a_run_whose_source_is_gone_does_not_go_on_without_it(scene: Scene) -> None:
    running = scene.start()
    end(scene, running, signal.SIGINT)
    unmounted = scene.source.rename(scene.machine.folder / "unmounted")

    refused = scene.machine.run("resume")
    unmounted.rename(scene.source)

    assert refused.exit_code == 2
    assert f"source data does not exist: {scene.source}" in refused.stderr
    scene.prove(scene.go_on())


def test_a_command_that_stood_still_for_long_goes_on(scene: Scene) -> None:
    running = scene.start()

    running.signal(signal.SIGSTOP)
    stopped_at_s = time.monotonic()
    eventually(lambda: time.monotonic() - stopped_at_s > LEASE_LIFE_S + 1, "a lease's time is over")
    running.signal(signal.SIGCONT)
    done = scene.finish(running)

    assert codes(done) == []
    scene.prove(done)


def test_a_killed_broker_comes_back_and_the_run_goes_on(scene: Scene) -> None:
    running = scene.start()

    killed = broker_pid(scene.machine)
    kill(killed)
    eventually(lambda: broker_pid(scene.machine) != killed, "another broker is there")
    done = scene.finish(running)

    assert codes(done) == []
    scene.prove(done)


def test_a_killed_keeper_takes_its_broker_along_and_both_come_back(scene: Scene) -> None:
    running = scene.start()

    killed, keeper = broker_pid(scene.machine), keeper_pid(scene.machine)
    kill(keeper)
    eventually(lambda: broker_pid(scene.machine) != killed, "another broker is there")
    done = scene.finish(running)

    assert codes(done) == []
    scene.prove(done)


def test_a_broker_that_stands_still_kills_no_device(scene: Scene) -> None:
    running = scene.start()
    pid = broker_pid(scene.machine)

    stop(pid)
    stopped_at_s = time.monotonic()
    eventually(lambda: time.monotonic() - stopped_at_s > LEASE_LIFE_S + 1, "all leases' time is over")
    go_on(pid)
    done = scene.finish(running)

    assert codes(done) == []
    scene.prove(done)


def test_a_broker_emptied_in_the_middle_of_a_run_loses_nothing(scene: Scene) -> None:
    running = scene.start()

    with broker(scene.machine) as client:
        client.flushall()
    done = scene.finish(running)

    assert codes(done) == []
    scene.prove(done)
