"""Links and oddities on a device lead nowhere else, and stop nothing."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import DeviceError
from workers.devices.base import Swept
from workers.devices.keys import object_key
from workers.devices.local.device import LocalDevice
from workers.devices.local.probe import probe_folder
from workers.devices.marker import Marker
from workers.devices.trouble import UnreadableError

OBJECT_ID = "ab" * 16
KEY = object_key(OBJECT_ID)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "device"
    root.mkdir()
    return root


@pytest.fixture
def device(folder: Path) -> LocalDevice:
    made = LocalDevice("a", folder)
    made.write_marker(
        Marker(format_version=1, device_id="d" * 32, name="a", pool_id="e" * 32, created="2026-01-01T00:00:00Z")
    )
    with made.put(KEY) as upload:
        upload.write(b"data")
        upload.commit()
    return made


@pytest.fixture(params=["segments", "segments/ab"])
def moved(request: pytest.FixtureRequest, device: LocalDevice, folder: Path) -> LocalDevice:
    """The device with one of its folders elsewhere, and a link to it in its place."""
    place = folder / request.param
    place.symlink_to(place.rename(folder.parent / "elsewhere"))
    return device


def test_a_folder_that_is_a_link_is_not_followed_when_an_object_is_read(moved: LocalDevice) -> None:
    with pytest.raises(UnreadableError):
        moved.open(KEY)


def test_a_folder_that_is_a_link_is_not_followed_when_an_object_is_stored_or_deleted(moved: LocalDevice) -> None:
    elsewhere = next(path for path in (moved._root.path.parent / "elsewhere").rglob("*.seg"))

    with pytest.raises(DeviceError):
        moved.put(KEY)
    with pytest.raises(DeviceError):
        moved.delete(KEY)
    assert elsewhere.read_bytes() == b"data"


def test_a_folder_that_is_a_link_is_not_listed_and_not_swept(moved: LocalDevice) -> None:
    segment = next(path for path in (moved._root.path.parent / "elsewhere").rglob("*.seg"))
    unfinished = segment.with_name("x.tmp")
    unfinished.touch()

    assert list(moved.list("segments")) == []
    assert moved.sweep() == Swept(removed_count=0)
    assert unfinished.exists()


@pytest.mark.parametrize(
    "make",
    [lambda path: path.symlink_to("/etc/passwd"), os.mkdir, os.mkfifo],
    ids=["link", "folder", "pipe"],
)
def test_what_cannot_be_swept_is_left_and_named_and_the_rest_is_swept(
    device: LocalDevice, folder: Path, caplog: pytest.LogCaptureFixture, make: Callable[[Path], object]
) -> None:
    odd = [folder / "segfleet.a.tmp", folder / "segments" / "ab" / "a.tmp", folder / "segments" / "a.tmp"]
    for path in odd:
        make(path)
    left_over = [folder / "segfleet.z.tmp", folder / "segments" / "ab" / "z.tmp", folder / "segments" / "z.tmp"]
    for path in left_over:
        path.touch()

    with caplog.at_level(logging.WARNING):
        swept = device.sweep()

    assert not any(map(os.path.lexists, left_over))
    for path in odd:
        if path.is_symlink():
            assert f"{path} cannot be removed" in caplog.text
    kept_count = caplog.text.count("cannot be removed")
    assert swept.left.count("cannot be removed") == bool(kept_count)
    assert swept.left.endswith(f" (and {kept_count - 1} more)" if kept_count > 1 else "")


@pytest.mark.parametrize(
    "make",
    [lambda path: path.symlink_to("/etc/passwd"), os.mkdir, os.mkfifo],
    ids=["link", "folder", "pipe"],
)
def test_a_marker_that_is_no_file_is_no_marker(folder: Path, make: Callable[[Path], object]) -> None:
    make(folder / "segfleet.json")

    assert probe_folder(folder).condition == "unwritable"


FRESH = [
    "System Volume Information/",
    "$RECYCLE.BIN/",
    "$Recycle.Bin/",
    ".Trash-1000/",
    ".Trashes/",
    ".Spotlight-V100/",
    ".fseventsd/",
    ".DS_Store",
    "lost+found/",
]


def make(folder: Path, name: str) -> None:
    if name.endswith("/"):
        (folder / name).mkdir()
        (folder / name / "inside").touch()
    else:
        (folder / name).touch()


def test_a_fresh_disk_is_empty_whatever_operating_systems_have_put_on_it(folder: Path) -> None:
    for name in FRESH:
        make(folder, name)

    assert probe_folder(folder).condition == "empty"


@pytest.mark.parametrize("name", ["photos/", ".Trash-1000x/", "Trash-1000/", "letter.txt", "System Volume/"])
def test_a_disk_that_is_in_use_is_foreign(folder: Path, name: str) -> None:
    make(folder, "System Volume Information/")
    make(folder, name)

    assert probe_folder(folder).condition == "foreign"
