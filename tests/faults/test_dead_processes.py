"""Processes that are killed or stopped in the middle of a backup: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import signal
import time

import pytest

from kit.command import Done, Running
from kit.deadlines import eventually
from kit.machine import Machine
from kit.processes import broker, broker_pid, go_on, keeper_pid, kill, stop, worker, worker_child
from kit.scene import Scene
from tasks.leases import LEASE_LIFE_S


@pytest.fixture
def scene(machine: Machine) -> Scene:
    return Scene(machine)


def codes(done: Done) -> list[str]:
    return [row["code"] for row in done.errors]


def states(done: Done) -> dict[str, str]:
    return {name: device["state"] for name, device in done.summary["devices"].items()}


def test_the_work_of_a_killed_worker_goes_to_the_other_devices(scene: Scene) -> None:
    running = scene.start(SEGFLEET_REJOIN_S="600")

    kill(worker(running, "a"))
    done = running.wait()

    assert codes(done) == ["device-dead"]
    assert states(done) == {"a": "dead", "b": "live", "c": "live"}
    assert done.summary["segments_rerouted"] > 0
    scene.prove(done)


def test_the_work_of_a_stopped_worker_goes_to_the_other_devices(scene: Scene) -> None:
    running = scene.start(SEGFLEET_REJOIN_S="600", SEGFLEET_STALL_S="600")

    for pid in (worker_child(running, "a"), worker(running, "a")):
        stop(pid)
    done = running.wait()

    assert codes(done) == ["device-dead"]
    assert "not been heard of" in done.errors[0]["message"]
    scene.prove(done)


def test_a_killed_child_of_a_worker_is_replaced_and_its_segment_stored(scene: Scene) -> None:
    running = scene.start()

    for device in scene.names:
        kill(worker_child(running, device))
    done = running.wait()

    assert codes(done) == []
    assert set(states(done).values()) == {"live"}
    scene.prove(done)


def test_a_hung_worker_is_replaced_and_its_device_goes_on(scene: Scene) -> None:
    running = scene.start()

    stop(worker_child(running, "a"))
    done = running.wait()

    assert codes(done) == []
    assert "worker of device a is replaced: its bytes have stood still" in done.stderr
    assert states(done)["a"] == "live"
    scene.prove(done)


def test_a_device_that_hangs_again_is_given_up(scene: Scene) -> None:
    scene.limit("200KiB")
    running = scene.start(SEGFLEET_REJOIN_S="600")

    first = worker_child(running, "a")
    stop(first)
    second = running.wait_for_row(
        lambda row: row["message_type"] == "worker" and row["device"] == "a" and row["pid"] != worker_of(running),
        "the hung worker is replaced",
    )
    assert second["pid"]
    stop(worker_child(running, "a"))
    done = running.wait()

    assert codes(done) == ["device-dead"]
    assert "for the second time" in done.errors[0]["message"]
    scene.prove(done)


def worker_of(running: Running) -> int:
    """The first worker of device a."""
    return next(row["pid"] for row in running.rows if row["message_type"] == "worker" and row["device"] == "a")


def test_a_killed_device_comes_back_within_the_run(scene: Scene) -> None:
    scene.limit("400KiB")
    running = scene.start()

    kill(worker(running, "a"))
    done = running.wait()

    assert codes(done) == ["device-dead"]
    assert "device a is back" in done.stderr
    assert states(done)["a"] == "live"
    scene.prove(done)


def test_when_all_devices_die_the_run_ends_with_a_clear_error_and_can_be_resumed(scene: Scene) -> None:
    running = scene.start(SEGFLEET_REJOIN_S="600")
    for device in scene.names:
        kill(worker(running, device))
    done = running.wait()

    assert done.exit_code == 1
    assert done.errors[-1]["code"] == "device"
    assert "no device is left" in done.errors[-1]["message"]
    assert "run the same command again" in done.stderr
    kept = len(scene.machine.segments_on())

    again = scene.go_on()

    assert "going on with snapshot" in again.stderr
    assert kept > 0
    scene.prove(again)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_an_ended_command_goes_on_where_it_was_and_stores_nothing_twice(scene: Scene, number: signal.Signals) -> None:
    running = scene.start()
    scene.wait_until_stored(running, 4)

    running.signal(number)
    done = running.wait()
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
    running.signal(signal.SIGINT)
    running.wait()
    unmounted = scene.source.rename(scene.machine.folder / "unmounted")

    refused = scene.machine.run("resume")
    unmounted.rename(scene.source)

    assert refused.exit_code == 2
    assert f"source data is not there: {scene.source}" in refused.stderr
    scene.prove(scene.go_on())


def test_a_command_that_stood_still_for_long_goes_on(scene: Scene) -> None:
    running = scene.start()

    running.signal(signal.SIGSTOP)
    stopped_at_s = time.monotonic()
    eventually(lambda: time.monotonic() - stopped_at_s > LEASE_LIFE_S + 1, "a lease's time is over")
    running.signal(signal.SIGCONT)
    done = running.wait()

    assert codes(done) == []
    scene.prove(done)


def test_a_killed_broker_comes_back_and_the_run_goes_on(scene: Scene) -> None:
    running = scene.start()

    kill(broker_pid(scene.machine))
    done = running.wait()

    assert codes(done) == []
    scene.prove(done)


def test_a_killed_keeper_takes_its_broker_along_and_both_come_back(scene: Scene) -> None:
    running = scene.start()

    kill(keeper_pid(scene.machine))
    done = running.wait()

    assert codes(done) == []
    scene.prove(done)


def test_a_broker_that_stands_still_kills_no_device(scene: Scene) -> None:
    running = scene.start()
    pid = broker_pid(scene.machine)

    stop(pid)
    stopped_at_s = time.monotonic()
    eventually(lambda: time.monotonic() - stopped_at_s > LEASE_LIFE_S + 1, "all leases' time is over")
    go_on(pid)
    done = running.wait()

    assert codes(done) == []
    scene.prove(done)


def test_a_broker_emptied_in_the_middle_of_a_run_loses_nothing(scene: Scene) -> None:
    running = scene.start()

    with broker(scene.machine) as client:
        client.flushall()
    done = running.wait()

    assert codes(done) == []
    scene.prove(done)
