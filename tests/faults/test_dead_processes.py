"""Workers that are killed or stopped in the middle of a backup: nothing is lost, and nothing is counted twice."""

from __future__ import annotations

import pytest

from kit.deadlines import eventually
from kit.program.command import Done, Running
from kit.program.machine import Machine
from kit.program.processes import kill, stop, worker, worker_child
from kit.program.scene import Scene


@pytest.fixture
def scene(machine: Machine) -> Scene:
    made = Scene(machine)
    # When c has stored its first segment, the others have theirs in hand, for 9 s unless the brake is released.
    made.limit("64KiB", c="512KiB")
    return made


def codes(done: Done) -> list[str]:
    return [row["code"] for row in done.errors]


def states(done: Done) -> dict[str, str]:
    return {name: device["state"] for name, device in done.summary["devices"].items()}


def test_the_work_of_a_killed_worker_goes_to_the_other_devices(scene: Scene) -> None:
    running = scene.start(SEGFLEET_REJOIN_S="600")

    kill(worker(running, "a"))
    done = scene.finish(running)

    assert codes(done) == ["device-dead"]
    assert states(done) == {"a": "dead", "b": "live", "c": "live"}
    assert done.summary["segments_rerouted"] > 0
    scene.prove(done)


def test_the_work_of_a_stopped_worker_goes_to_the_other_devices(scene: Scene) -> None:
    running = scene.start(SEGFLEET_REJOIN_S="600", SEGFLEET_STALL_S="600")

    for pid in (worker_child(running, "a"), worker(running, "a")):
        stop(pid)
    done = scene.finish(running)

    assert codes(done) == ["device-dead"]
    assert "has given no sign of life for" in done.errors[0]["message"]
    scene.prove(done)


def kill_child_at_work(scene: Scene, running: Running, device: str) -> None:
    """Returns when the worker has another child."""
    eventually(lambda: list(scene.folder(device).rglob("*.tmp")), f"{device} has a segment in hand")
    killed = worker_child(running, device)
    kill(killed)
    eventually(lambda: worker_child(running, device) != killed, f"the worker of {device} has another child")


def test_a_killed_child_of_a_worker_is_replaced_and_its_segment_stored(scene: Scene) -> None:
    running = scene.start()

    for device in scene.names:
        kill_child_at_work(scene, running, device)
    done = scene.finish(running)

    assert codes(done) == []
    assert set(states(done).values()) == {"live"}
    scene.prove(done)


def test_a_hung_worker_is_replaced_and_its_device_goes_on(scene: Scene) -> None:
    running = scene.start()

    stop(worker_child(running, "a"))
    done = scene.finish(running)

    assert codes(done) == []
    assert "replacing the worker of device a: no progress for" in done.stderr
    assert states(done)["a"] == "live"
    scene.prove(done)


def test_a_device_that_hangs_again_is_given_up(scene: Scene) -> None:
    # As long as the others are at work, what a has not begun stays with it: its second worker has work too.
    scene.limit("64KiB", a="256KiB")
    # On a busy machine its second worker may take longer than six seconds until it has begun.
    running = scene.start(SEGFLEET_REJOIN_S="600", SEGFLEET_STALL_S="15")

    first = worker_child(running, "a")
    stop(first)
    begun = set(scene.folder("a").rglob("*.tmp"))
    second = running.wait_for_row(
        lambda row: row["message_type"] == "worker" and row["device"] == "a" and row["pid"] != worker_of(running),
        "the hung worker is replaced",
    )
    assert second["pid"]
    eventually(lambda: set(scene.folder("a").rglob("*.tmp")) - begun, "the second worker is at work")
    stop(worker_child(running, "a"))
    done = scene.finish(running)

    assert codes(done) == ["device-dead"]
    assert "for the second time" in done.errors[0]["message"]
    scene.prove(done)


def worker_of(running: Running) -> int:
    """The first worker of device a."""
    pids = (row["pid"] for row in running.rows if row["message_type"] == "worker" and row["device"] == "a")
    return int(next(pids))


def test_a_killed_device_comes_back_within_the_run(scene: Scene) -> None:
    running = scene.start()

    kill(worker(running, "a"))
    eventually(lambda: "device a is back" in running.stderr, "device a is back")
    done = scene.finish(running)

    assert codes(done) == ["device-dead"]
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

    assert "continuing snapshot" in again.stderr
    assert kept > 0
    scene.prove(again)
