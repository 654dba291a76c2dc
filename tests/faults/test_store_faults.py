"""A real small file system that fills up, turns read-only, or goes away while a segment is written to it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.errors import DeviceError, DeviceFullError, NotADeviceError
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker

KEY = "segments/ab/" + "ab" * 16 + ".seg"
MIB = bytes(1024 * 1024)


def run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60)


@pytest.fixture
def mount_point(tmp_path: Path) -> Iterator[Path]:
    """An ext4 of 16 MiB, mounted from a file."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting a file system needs root and mkfs.ext4")
    image, folder = tmp_path / "image", tmp_path / "device"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(16 * len(MIB))
    run("mkfs.ext4", "-q", image)
    try:
        run("mount", "-o", "loop", image, folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"loop mounts are not possible here: {error.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True, timeout=60)


@pytest.fixture
def device(mount_point: Path) -> LocalDevice:
    device = LocalDevice("a", mount_point)
    assert device.probe().condition == "empty"
    device.write_marker(Marker(format_version=1, device_id="d" * 32, name="a", pool_id="e" * 32, created=""))
    device.claim("d" * 32)
    return device


def test_a_device_that_fills_up_is_full_and_keeps_its_room(device: LocalDevice, mount_point: Path) -> None:
    before = device.capacity().free_bytes
    with pytest.raises(DeviceFullError), device.put(KEY) as upload:
        for _ in range(32):
            upload.write(MIB)
        upload.commit()
    assert list(mount_point.rglob("*.tmp")) == list(device.list("segments")) == []
    assert device.capacity().free_bytes >= before - len(MIB)
    assert device.probe().condition == "ready"


def test_a_device_without_any_room_is_ready_with_nothing_free(device: LocalDevice, mount_point: Path) -> None:
    with pytest.raises(OSError, match="No space left"), (mount_point / "ballast").open("wb") as file:
        while True:
            file.write(MIB)
    report = device.probe()
    assert (report.condition, report.free_bytes, report.device_id) == ("ready", 0, "d" * 32)


def test_a_device_remounted_read_only_is_unwritable_and_can_still_be_read(
    device: LocalDevice, mount_point: Path
) -> None:
    with device.put(KEY) as upload:
        upload.write(b"data")
        upload.commit()
    run("mount", "-o", "remount,ro", mount_point)
    with pytest.raises(DeviceError, match="Read-only file system"):
        device.put(KEY)
    report = device.probe()
    assert (report.condition, report.device_id) == ("unwritable", "d" * 32)
    stored = device.open(KEY)
    assert stored is not None
    with stored:
        assert stored.read(0, 4) == b"data"


def test_a_device_lazily_unmounted_while_a_segment_is_written_fails_the_commit(
    device: LocalDevice, mount_point: Path
) -> None:
    with pytest.raises(NotADeviceError), device.put(KEY) as upload:
        upload.write(MIB)
        run("umount", "--lazy", mount_point)
        upload.write(MIB)
        upload.commit()
    assert list(mount_point.iterdir()) == []
    with pytest.raises(NotADeviceError):
        device.put(KEY)
    assert list(mount_point.iterdir()) == []
