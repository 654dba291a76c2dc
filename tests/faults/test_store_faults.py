"""A real small file system that fills up, turns read-only, or goes away while a segment is written to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.disks.small_disk import SmallDisk, small_disk
from tasks.errors import DeviceError, DeviceFullError, NotADeviceError
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker

KEY = "segments/ab/" + "ab" * 16 + ".seg"
MIB = bytes(1024 * 1024)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "device") as made:
        yield made


@pytest.fixture
def device(disk: SmallDisk) -> LocalDevice:
    device = LocalDevice("a", disk.folder)
    assert device.probe().condition == "empty"
    device.write_marker(Marker(format_version=1, device_id="d" * 32, name="a", pool_id="e" * 32, created=""))
    device.claim("d" * 32)
    return device


def test_a_device_that_fills_up_is_full_and_keeps_its_room(device: LocalDevice, disk: SmallDisk) -> None:
    before = device.capacity().free_bytes
    with pytest.raises(DeviceFullError), device.put(KEY) as upload:
        for _ in range(32):
            upload.write(MIB)
        upload.commit()
    assert (list(disk.folder.rglob("*.tmp")), list(device.list("segments"))) == ([], [])
    assert device.capacity().free_bytes >= before - len(MIB)
    assert device.probe().condition == "ready"


def test_a_device_without_any_room_is_ready_with_nothing_free(device: LocalDevice, disk: SmallDisk) -> None:
    with pytest.raises(OSError, match="No space left"), (disk.folder / "ballast").open("wb") as file:
        while True:
            file.write(MIB)
    report = device.probe()
    assert (report.condition, report.free_bytes, report.device_id) == ("ready", 0, "d" * 32)


def test_a_device_remounted_read_only_is_unwritable_and_can_still_be_read(device: LocalDevice, disk: SmallDisk) -> None:
    with device.put(KEY) as upload:
        upload.write(b"data")
        upload.commit()
    disk.remount_read_only()
    with pytest.raises(DeviceError, match="Read-only file system"):
        device.put(KEY)
    report = device.probe()
    assert (report.condition, report.device_id) == ("unwritable", "d" * 32)
    stored = device.open(KEY)
    assert stored is not None
    with stored:
        assert stored.read(0, 4) == b"data"


def test_a_device_lazily_unmounted_while_a_segment_is_written_fails_the_commit(
    device: LocalDevice, disk: SmallDisk
) -> None:
    with pytest.raises(NotADeviceError), device.put(KEY) as upload:
        upload.write(MIB)
        disk.unmount()
        upload.write(MIB)
        upload.commit()
    assert list(disk.folder.iterdir()) == []
    with pytest.raises(NotADeviceError):
        device.put(KEY)
    assert list(disk.folder.iterdir()) == []
