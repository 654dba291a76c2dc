"""The way from a configured source down to a source in it: every step is one that no symlink can turn aside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.disks.raw_volumes import loop_device
from producer.raw.raw_path import mark_of
from tasks.errors import SourceError
from tasks.raw import raw_volume_mark
from tasks.values import SourcePlace
from workers.sources.direct import open_reader
from workers.sources.files import SourceFiles
from workers.sources.place import Place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A configured source, by way of a symlink, which is its owner's word; and what it must not lead to."""
    (tmp_path / "real/a/b").mkdir(parents=True)
    (tmp_path / "real/a/b/file").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_bytes(b"outside")
    (tmp_path / "real/a/link").symlink_to("b")
    (tmp_path / "real/a/out").symlink_to(tmp_path / "outside")
    (tmp_path / "configured").symlink_to("real")
    return tmp_path / "configured"


def read(place: Place, path: str) -> bytes:
    with SourceFiles(place) as files:
        fd = files.open(path)
        with open(fd, "rb") as file:
            return file.read()


@pytest.mark.parametrize(
    ("below", "path"), [("", "a/b/file"), ("a", "b/file"), ("a/b", "file"), ("a/b/file", "")], ids=str
)
def test_a_file_is_read_from_wherever_its_source_begins(root: Path, below: str, path: str) -> None:
    assert read(Place("s", root, below), path) == b"inside"


@pytest.mark.parametrize(
    ("below", "why"),
    [
        ("a/link", "Too many levels of symbolic links"),
        ("a/out", "Too many levels of symbolic links"),
        ("a/link/file", "symbolic links"),
        ("a/gone", "No such file"),
        ("a/b/file/x", "Not a directory"),
    ],
    ids=str,
)
def test_what_is_no_plain_way_down_fails_the_order_and_leaves_nothing_open(root: Path, below: str, why: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(SourceError, match=f"source s: .*{below}: .*{why}"):
        Place("s", root, below)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_is_a_source_is_not_followed_when_it_is_swapped_for_a_link(root: Path) -> None:
    place = Place("s", root, "a/b/file")
    (root / "a/b/file").unlink()
    (root / "a/b/file").symlink_to("../../../outside/file")

    with pytest.raises(OSError, match="symbolic links"):
        read(place, "")


def test_a_folder_swapped_for_a_link_leads_on_to_what_it_was(root: Path) -> None:
    place = Place("s", root, "a/b")
    (root / "a/b").rename(root / "a/moved")
    (root / "a/b").symlink_to("../../outside")

    assert read(place, "file") == b"inside"


def test_a_device_node_in_a_source_is_no_volume_of_it(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"x" * 1_000_000)
    with loop_device(tmp_path / "image") as device:
        place = Place("s", device.parent, device.name)
        with pytest.raises(SourceError, match="must be a configured source itself"):
            open_reader(place)
        place.close()
        named = Place("s", device)
        open_reader(named).close()
        named.close()


def test_a_volume_of_another_size_or_beginning_is_not_the_one_that_was_meant(tmp_path: Path) -> None:
    head = bytes(range(256)) * 4 * 128
    images = {"same": head + b"x" * 4096, "longer": head + b"x" * 8192, "other": head[:-1] + b"y" + b"x" * 4096}
    mark = raw_volume_mark(len(images["same"]), head)
    for name, content in images.items():
        (tmp_path / name).write_bytes(content)
        with loop_device(tmp_path / name) as device:
            place = Place("s", device)
            if name == "same":
                open_reader(place, mark=mark).close()
            else:
                with pytest.raises(SourceError, match="not the raw volume that the manager has"):
                    open_reader(place, mark=mark)
            place.close()


def test_manager_and_worker_know_a_volume_by_the_same_mark(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(os.urandom(200 * 1024))
    with loop_device(tmp_path / "image") as device:
        place = Place("s", device)
        reader = open_reader(place)
        assert reader.mark() == mark_of(device, 200 * 1024) != ""
        reader.close()
        place.close()
    assert mark_of(tmp_path / "image", 200 * 1024) == ""


@pytest.mark.parametrize("path", ["", "/", "/x", "..", "x/..", "./x", "x//y", "x/", "x\0"], ids=repr)
def test_a_place_that_is_not_below_a_source_cannot_be_named(path: str) -> None:
    with pytest.raises(ValueError, match="not below a configured source"):
        SourcePlace(source="s", path=path)
