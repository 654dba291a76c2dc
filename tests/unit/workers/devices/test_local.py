"""The local folder as a device: marker, faults and left-overs."""

import errno
import fcntl
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import DeviceError, DeviceFullError, NotADeviceError
from workers.devices.base import Swept
from workers.devices.local import device as local_device
from workers.devices.local.device import LocalDevice
from workers.devices.marker import MAX_MARKER_BYTES, DamagedMarkerError, Marker, NewerMarkerError
from workers.devices.trouble import UnreadableError

KEY = "segments/ab/" + "ab" * 16 + ".seg"


def marker(**changes: Any) -> Marker:
    fields: dict[str, Any] = {
        "format_version": 1,
        "device_id": "d" * 32,
        "name": "a",
        "pool_id": "e" * 32,
        "created": "2026-01-01Z",
    }
    return Marker(**{**fields, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "device"
    root.mkdir()
    return root


@pytest.fixture
def device(folder: Path) -> LocalDevice:
    device = LocalDevice("a", folder)
    device.write_marker(marker())
    return device


def store(device: LocalDevice, key: str = KEY, data: bytes = b"data") -> None:
    with device.put(key) as upload:
        upload.write(data)
        upload.commit()


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_an_object_that_is_deleted_while_positions_are_listed_is_left_out(
    device: LocalDevice, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"segments/ab/{'ab' * 15}{digit}{digit}.seg" for digit in "01"]
    for key in keys:
        store(device, key)
    found_files = local_device._files_in

    def one_goes(root_fd: int, below: str) -> Iterator[tuple[str, int]]:
        for key, folder_fd in found_files(root_fd, below):
            if key == keys[0]:
                (folder / key).unlink()
            yield key, folder_fd

    monkeypatch.setattr(local_device, "_files_in", one_goes)
    assert [key for key, _ in device.positions("segments")] == keys[1:]


def test_a_missing_folder_is_reported_and_not_made(tmp_path: Path) -> None:
    device = LocalDevice("a", tmp_path / "absent")
    assert device.probe().condition == "missing"
    with pytest.raises(NotADeviceError, match="is not a folder"):
        device.put(KEY)
    assert tree(tmp_path) == []


def test_nothing_is_created_where_the_marker_is_missing(folder: Path) -> None:
    with pytest.raises(NotADeviceError, match=r"has no segfleet\.json"):
        LocalDevice("a", folder).put(KEY)
    assert tree(folder) == []


def test_a_marker_removed_while_a_segment_is_written_fails_the_commit(device: LocalDevice, folder: Path) -> None:
    with pytest.raises(NotADeviceError), device.put(KEY) as upload:
        upload.write(b"data")
        (folder / "segfleet.json").unlink()
        upload.commit()


def test_a_device_replaced_while_a_segment_is_written_fails_the_commit(device: LocalDevice, folder: Path) -> None:
    """As a lazy unmount: the open descriptors go on working, the path shows something else."""
    with pytest.raises(DeviceError), device.put(KEY) as upload:
        upload.write(b"data")
        folder.rename(folder.with_name("elsewhere"))
        shutil.copytree(folder.with_name("elsewhere"), folder)
        upload.commit()


def test_an_unmounted_device_fails_the_commit_and_leaves_the_mount_point_bare(
    device: LocalDevice, folder: Path
) -> None:
    with pytest.raises(NotADeviceError), device.put(KEY) as upload:
        upload.write(b"data")
        folder.rename(folder.with_name("elsewhere"))
        folder.mkdir()
        upload.commit()
    assert tree(folder) == []


def test_a_claimed_device_accepts_no_other_in_its_place(device: LocalDevice, folder: Path) -> None:
    device.claim("d" * 32)
    (folder / "segfleet.json").unlink()
    LocalDevice("b", folder).write_marker(marker(device_id="f" * 32))
    for attempt in (lambda: device.put(KEY), lambda: device.open(KEY), lambda: device.claim("d" * 32)):
        with pytest.raises(NotADeviceError, match=r"holds device f+, not d+"):
            attempt()


def test_a_second_marker_does_not_replace_the_first(device: LocalDevice) -> None:
    device.write_marker(marker(device_id="f" * 32))
    assert device.probe().device_id == "d" * 32


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_device_raises_device_full_and_keeps_no_temporary_file(
    device: LocalDevice, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def write(fd: int, data: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(DeviceFullError, match="device a is full"), device.put(KEY) as upload:
        upload.write(b"data")
    assert tree(folder) == ["segfleet.json", "segments", "segments/ab"]


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_a_failed_sync_is_a_device_error_with_path_and_reason(
    device: LocalDevice, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fsync(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    with device.put(KEY) as upload:
        upload.write(b"data")
        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(DeviceError, match=f"{KEY}: {os.strerror(number)}") as caught:
            upload.commit()
    assert not isinstance(caught.value, DeviceFullError)
    assert tree(folder) == ["segfleet.json", "segments", "segments/ab"]


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")],
    ids=["fifo", "folder", "symlink"],
)
def test_what_is_no_file_is_unreadable_in_an_objects_place_and_holds_nobody_up(
    device: LocalDevice, folder: Path, make: Callable[[Path], object]
) -> None:
    (folder / KEY).parent.mkdir(parents=True)
    make(folder / KEY)
    with pytest.raises(UnreadableError, match=f"device a: {folder / KEY}: "):
        device.open(KEY)


def test_an_object_that_the_disk_does_not_open_is_unreadable_but_a_missing_device_is_no_device(
    device: LocalDevice, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_(path: object, *more: Any, **options: Any) -> int:
        if path == KEY.rpartition("/")[2]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really_open(path, *more, **options)  # type: ignore[arg-type]

    store(device)
    really_open = os.open
    monkeypatch.setattr(os, "open", open_)
    with pytest.raises(UnreadableError, match="Input/output error"):
        device.open(KEY)
    (folder / "segfleet.json").unlink()
    with pytest.raises(NotADeviceError):
        device.open(KEY)


def test_a_sweep_removes_what_a_worker_left_that_died_over_the_marker_or_a_probe(
    device: LocalDevice, folder: Path
) -> None:
    for name in ("segfleet.json.12345678.tmp", "segfleet.probe.12345678.tmp", "not-ours.tmp"):
        (folder / name).touch()
    assert device.sweep() == Swept(removed_count=2)
    assert tree(folder) == ["not-ours.tmp", "segfleet.json"]


def test_a_sweep_removes_what_the_dead_left_and_nothing_of_the_living(device: LocalDevice, folder: Path) -> None:
    store(device)
    left_over = folder / f"{KEY}.0123abcd.tmp"
    left_over.write_bytes(b"half")
    with device.put(KEY) as upload:
        upload.write(b"more")
        assert LocalDevice("a", folder).sweep() == Swept(removed_count=1)
        upload.commit()
    assert not left_over.exists()
    assert list(device.list("segments")) == [KEY]


def test_a_file_swept_between_its_creation_and_its_lock_is_made_again(
    device: LocalDevice, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_lock, calls = fcntl.flock, []

    def lock(fd: int, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:
            os.unlink(os.readlink(f"/proc/self/fd/{fd}"))
        real_lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", lock)
    store(device)
    assert len(calls) == 2
    assert (folder / KEY).read_bytes() == b"data"


def test_a_file_system_without_locks_can_be_a_device(
    device: LocalDevice, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", lock)
    store(device)
    left_over = folder / f"{KEY}.0123abcd.tmp"
    left_over.touch()
    device.sweep()
    assert (folder / KEY).read_bytes() == b"data"
    assert left_over.exists()


@pytest.mark.parametrize("names", [[], ["lost+found"], ["segfleet.json.0123abcd.tmp"]])
def test_an_empty_folder_may_be_adopted(folder: Path, names: list[str]) -> None:
    for name in names:
        (folder / name).mkdir()
    report = LocalDevice("a", folder).probe()
    assert (report.condition, report.device_id) == ("empty", "")
    assert tree(folder) == names


def test_a_folder_with_files_and_no_marker_is_foreign_and_the_report_names_one(folder: Path) -> None:
    (folder / "thesis.odt").touch()
    report = LocalDevice("a", folder).probe()
    assert report.condition == "foreign"
    assert "thesis.odt" in report.detail


def test_a_file_is_no_device(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert LocalDevice("a", tmp_path / "file").probe().condition == "foreign"


def test_a_ready_device_shows_its_marker_room_and_identity(device: LocalDevice, folder: Path) -> None:
    report = device.probe()
    assert (report.condition, report.device_id, report.pool_id, report.marker_name) == (
        "ready",
        "d" * 32,
        "e" * 32,
        "a",
    )
    assert 0 < report.free_bytes <= report.capacity_bytes
    assert report.root_identity == (folder.stat().st_dev, folder.stat().st_ino)
    assert tree(folder) == ["segfleet.json"]


@pytest.mark.parametrize(
    ("number", "condition"), [(errno.EROFS, "unwritable"), (errno.EIO, "unwritable"), (errno.ENOSPC, "ready")]
)
def test_a_device_that_cannot_be_written_still_shows_its_marker(
    device: LocalDevice, monkeypatch: pytest.MonkeyPatch, number: int, condition: str
) -> None:
    def write(fd: int, data: object, offset: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", write)
    report = device.probe()
    assert (report.condition, report.device_id) == (condition, "d" * 32)
    assert os.strerror(number) in report.detail
    assert (report.free_bytes == 0) == (condition == "ready")


@pytest.mark.parametrize("knows_nameless_files", [True, False])
def test_a_probe_that_is_killed_at_its_sync_leaves_nothing_where_files_may_have_no_name(
    device: LocalDevice, folder: Path, monkeypatch: pytest.MonkeyPatch, knows_nameless_files: bool
) -> None:
    there: list[list[str]] = []
    really_open = os.open

    def open_(path: str, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE and not knows_nameless_files:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return really_open(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(os, "fsync", lambda fd: there.append(tree(folder)))

    assert device.probe().condition == "ready"
    assert (there == [["segfleet.json"]]) == knows_nameless_files
    assert tree(folder) == ["segfleet.json"]


def test_a_marker_of_a_later_release_is_newer(folder: Path) -> None:
    (folder / "segfleet.json").write_text('{"format_version": 2, "shape": "unknown"}')
    device = LocalDevice("a", folder)
    assert device.probe().condition == "newer"
    with pytest.raises(NewerMarkerError):
        device.put(KEY)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"\xff", b"null", b"[" * MAX_MARKER_BYTES, b'{"format_version": 1}', b'{"format_version": 0}'],
    ids=lambda data: repr(data[:24]),
)
def test_a_marker_that_makes_no_sense_is_damaged(folder: Path, data: bytes) -> None:
    (folder / "segfleet.json").write_bytes(data)
    device = LocalDevice("a", folder)
    assert device.probe().condition == "damaged"
    with pytest.raises(DamagedMarkerError, match=str(folder)):
        device.put(KEY)


@pytest.mark.parametrize("key", ["", "x", "/etc/passwd", "../x/y", "segments/../../x", "segments/x.tmp", "segments/"])
def test_a_key_that_leaves_the_device_is_refused(device: LocalDevice, key: str) -> None:
    with pytest.raises(DeviceError, match="not a key"):
        device.put(key)


def test_a_device_whose_last_blocks_take_only_half_of_the_probe_is_full_and_not_broken(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel cuts a write short at this limit as it does on a nearly full file system.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        report = LocalDevice("a", tmp_path).probe()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (report.condition, report.free_bytes) == ("empty", 0)


def test_a_report_says_where_the_file_system_of_the_folder_is_mounted(folder: Path) -> None:
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    inside = [point for point in mounts if folder.is_relative_to(point)]
    assert LocalDevice("a", folder).probe().mount_point == max(inside, key=len)
