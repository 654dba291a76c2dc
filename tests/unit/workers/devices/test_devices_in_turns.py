"""A device on a disk that rotates is read, and written, by one at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.deadlines import DEADLINE_S, eventually
from workers.devices import in_turns
from workers.devices.in_turns import DeviceInTurns
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker
from workers.disks.turns import Turns

KEY = "segments/00/" + "0" * 32 + ".seg"


class Disk:
    """A disk that rotates, and somebody else at it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()

    def turns_at(self, _path: Path, what: str, _count: int | None = None) -> Turns:
        return Turns(self._folder, f"{what}-sda", 1, patience_s=2 * DEADLINE_S)

    @contextmanager
    def is_waited_for(self, what: str, work: Callable[[], object]) -> Iterator[None]:
        """``work`` waits for the turn that somebody else has during the block, and is done soon after it."""
        with ThreadPoolExecutor(1) as pool:
            with self.turns_at(self._folder, what).turn():
                done = pool.submit(work)
                eventually(lambda: self._is_locked(f"{what}-sda.gate"), "somebody waits")
                yield
                assert not done.done()
            done.result(DEADLINE_S)

    def _is_locked(self, name: str) -> bool:
        with (self._folder / name).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(tmp_path / "turns")
    monkeypatch.setattr(in_turns, "turns_at", disk.turns_at)
    return disk


@pytest.fixture
def device(disk: Disk, tmp_path: Path) -> DeviceInTurns:
    device = DeviceInTurns(LocalDevice("a", tmp_path), tmp_path)
    device.write_marker(Marker(format_version=1, device_id="d" * 32, name="a", pool_id="e" * 32, created=""))
    device.claim("d" * 32)
    return device


def test_a_write_waits_for_the_turn(device: DeviceInTurns, disk: Disk) -> None:
    with device.put(KEY) as upload, disk.is_waited_for("write", lambda: upload.write(b"data")):
        pass


def test_a_sync_waits_for_the_turn_and_then_the_object_is_there(device: DeviceInTurns, disk: Disk) -> None:
    with device.put(KEY) as upload:
        upload.write(b"data")
        with disk.is_waited_for("write", upload.commit):
            assert list(device.list("segments")) == []
    assert list(device.list("segments")) == [KEY]


def test_a_read_waits_for_the_turn_and_not_for_who_writes(device: DeviceInTurns, disk: Disk) -> None:
    with device.put(KEY) as upload:
        upload.write(b"data")
        upload.commit()
    stored = device.open(KEY)
    assert stored is not None
    assert stored.size_bytes == 4
    with stored, device.put(KEY) as another, disk.is_waited_for("write", another.commit):
        with disk.is_waited_for("read", lambda: stored.read(0, 4)):
            pass
        assert stored.read(1, 9) == b"ata"


def test_an_object_that_is_not_there_is_none(device: DeviceInTurns) -> None:
    assert device.open(KEY) is None
