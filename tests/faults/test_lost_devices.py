"""Devices that fill up, turn read-only, go away or lose their marker in the middle of a backup."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.deadlines import eventually
from kit.disks.small_disk import SmallDisk, small_disk
from kit.program.command import Done
from kit.program.machine import Machine
from kit.program.scene import Scene
from kit.tree import Tree, noise

MARKER = "segfleet.json"

#: A lost device is not asked again within the test.
FOR_GOOD = {"SEGFLEET_REJOIN_S": "600"}


@pytest.fixture
def disk(machine: Machine) -> Iterator[SmallDisk]:
    """Device a, a real file system of 16 MiB."""
    with small_disk(machine.folder / "disk") as made:
        yield made
        machine.end()


@pytest.fixture
def scene(machine: Machine, disk: SmallDisk) -> Scene:
    return Scene(machine, folders={"a": disk.folder}, rate="256KiB")


def codes(done: Done) -> list[str]:
    return [row["code"] for row in done.errors]


def state(done: Done, device: str) -> str:
    found: str = done.summary["devices"][device]["state"]
    return found


def state_now(scene: Scene, device: str) -> tuple[str, str]:
    """What `devices` says, and why."""
    rows = scene.machine.succeed("devices", "--json").rows_of("device")
    return next((row["state"], row["reason"]) for row in rows if row["name"] == device)


def running_section(machine: Machine) -> str:
    """The part of the operator's page that shows what runs now."""
    page = machine.folder / "page.html"
    machine.succeed("status", "--html", page)
    return page.read_text().partition('id="running"')[2].partition("</section>")[0]


def test_a_full_device_takes_no_more_and_the_rest_goes_to_the_others(scene: Scene, disk: SmallDisk) -> None:
    running = scene.start()
    scene.wait_until_stored(running, 1, "a")
    disk.fill(leave_bytes=200_000)
    done = scene.finish(running)

    assert codes(done) == ["device-full"]
    assert state(done, "a") == "full"
    assert done.summary["segments_rerouted"] > 0
    assert done.summary["devices"]["a"]["segments"] > 0
    assert scene.left_over() == []
    assert state_now(scene, "a")[0] == "full"
    disk.make_room()
    assert state_now(scene, "a")[0] == "live"
    scene.prove(done)


def test_the_work_of_a_device_turned_read_only_goes_to_the_others(scene: Scene, disk: SmallDisk) -> None:
    running = scene.start(**FOR_GOOD)
    disk.turn_read_only()
    eventually(lambda: "device-dead" in str(running.rows), "device a is found dead")
    on_page = running_section(scene.machine)
    done = scene.finish(running)

    assert ">storing<" in on_page
    assert 'class="state dead"' in on_page
    assert "Read-only file system" in on_page

    assert codes(done) == ["device-dead"]
    assert "Read-only file system" in done.errors[0]["message"]
    assert state(done, "a") == "dead"
    now, why = state_now(scene, "a")
    # Asked again, it is there.
    assert now == "read-only"
    assert "Read-only file system" in why
    disk.unmount()
    disk.mount()
    scene.prove(done)


def test_a_device_unmounted_while_a_segment_is_written_is_dead_and_its_mount_point_stays_empty(
    scene: Scene, disk: SmallDisk
) -> None:
    running = scene.start(**FOR_GOOD)
    disk.unmount()
    done = scene.finish(running)

    assert codes(done) == ["device-dead"]
    assert state(done, "a") == "dead"
    assert list(disk.folder.iterdir()) == []
    scene.machine.wait_until_quiet()
    disk.mount()
    # What was being written when the device went is swept by the next worker that stores there.
    scene.prove_again()


def test_a_device_that_is_mounted_again_takes_part_again_and_is_swept(scene: Scene, disk: SmallDisk) -> None:
    scene.limit("200KiB")
    running = scene.start()
    disk.unmount()
    eventually(lambda: "device a is dead" in running.stderr + str(running.rows), "device a is found dead")
    disk.mount()
    eventually(lambda: "device a is back" in running.stderr, "device a is back")
    done = scene.finish(running)

    assert state(done, "a") == "live"
    scene.prove(done)


def test_a_device_without_its_marker_is_not_written_to(machine: Machine) -> None:
    scene = Scene(machine, rate="256KiB")
    running = scene.start(**FOR_GOOD)
    marker = scene.folder("a") / MARKER
    marker.rename(machine.folder / MARKER)
    done = scene.finish(running)
    stored = set(machine.segments_on("a"))

    assert codes(done) == ["device-dead"]
    assert MARKER in done.errors[0]["message"]
    (machine.folder / MARKER).rename(marker)
    again = scene.prove_again()
    assert stored <= set(machine.segments_on("a"))
    assert state(again, "a") == "live"


def test_a_device_that_was_away_takes_part_in_the_next_backup(machine: Machine) -> None:
    scene = Scene(machine, rate="256KiB")
    running = scene.start(**FOR_GOOD)
    scene.wait_until_stored(running, 2, "a")
    scene.folder("a").rename(machine.folder / "away")
    done = scene.finish(running)
    assert codes(done) == ["device-dead"]
    assert done.summary["devices"]["a"]["segments"] == 0

    (machine.folder / "away").rename(scene.folder("a"))
    scene.prove(done)
    again = scene.prove_again()
    assert state(again, "a") == "live"
    assert again.summary["devices"]["a"]["segments"] > 0


def test_when_every_device_is_full_the_run_ends_with_a_clear_error_and_can_go_on(
    machine: Machine, disk: SmallDisk
) -> None:
    scene = Scene(machine, "a", folders={"a": disk.folder}, rate="1MiB")
    running = scene.start()
    disk.fill(leave_bytes=100_000)
    done = scene.finish(running)

    assert done.exit_code == 1
    assert "no device is left" in done.errors[-1]["message"]
    disk.make_room()
    again = scene.go_on()
    assert "continuing snapshot" in again.stderr
    scene.prove(again)


def test_a_first_backup_that_only_fits_compressed_is_tried_where_its_user_expects_that(
    machine: Machine, disk: SmallDisk
) -> None:
    text = Tree({f"{number}": b"all work and no play\n" * 200_000 for number in range(5)}).make(machine.folder / "text")
    noisy = Tree({f"{number}": noise(4_000_000, number) for number in range(5)}).make(machine.folder / "noisy")
    small = (f"--device=a={disk.folder}", "--segment-size=1MiB", "--unit-size=1MiB", "--reserve=64KiB")

    refused = machine.run("backup", text, *small)
    tried = machine.run("backup", text, *small, "--expect-ratio=20")
    wrong = machine.run("backup", noisy, *small, "--expect-ratio=20")
    continued = machine.run("backup", noisy, *small, *machine.devices("b"))

    assert [done.exit_code for done in (refused, tried, wrong, continued)] == [1, 0, 1, 0]
    assert "--expect-ratio" in refused.stderr
    assert "no device is left" in wrong.stderr
    assert "continuing snapshot" in continued.stderr
