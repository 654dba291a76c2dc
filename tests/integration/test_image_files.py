"""Files out of images of FAT and XFS, with the tools of their file systems, and without a mount."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from kit.disks.raw_volumes import filled, make_file_system
from kit.needs import need_tools
from producer.raw.inside.inside import ImageFiles

MIB = 1024 * 1024


def names_of(files: ImageFiles, folder: str) -> list[str]:
    return [entry.path for entry in files.entries_in(folder)]


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- FAT


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """What is on the stick."""
    made = tmp_path / "photos"
    (made / "Deep folder").mkdir(parents=True)
    (made / "empty").mkdir()
    (made / "UPPER.TXT").write_bytes(b"short name")
    (made / "NOTHING").touch()
    (made / "b[1].txt").write_bytes(b"brackets")
    (made / "Deep folder/name with blank and ünï.jpg").write_bytes(os.urandom(70_000))
    (made / "日本.txt").write_bytes(b"far away")
    return made


@pytest.fixture(params=[(12, 4 * MIB), (16, 32 * MIB), (32, 64 * MIB)], ids=lambda param: f"{param[0]} bit")
def stick(request: pytest.FixtureRequest, tmp_path: Path, photos: Path) -> ImageFiles:
    need_tools("mkfs.vfat", "mcopy", "mattrib")
    bits, size_bytes = request.param
    image = make_file_system(tmp_path / "stick.img", "vfat", size_bytes, "-F", str(bits))
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MTOOLS_SKIP_CHECK": "1"}
    subprocess.run(["mcopy", "-s", "-m", "-i", image, photos, "::"], env=environment, check=True)
    subprocess.run(["mattrib", "+h", "-i", image, "::photos/UPPER.TXT"], env=environment, check=True)
    return ImageFiles(image)


def test_fat_is_listed_with_long_short_and_hidden_names(stick: ImageFiles, photos: Path) -> None:
    assert names_of(stick, "") == ["photos"]
    assert set(names_of(stick, "photos")) == {f"photos/{path.name}" for path in photos.iterdir()}
    entries = {entry.path: entry for entry in stick.below("")}
    assert entries["photos/Deep folder"].node.is_directory
    assert entries["photos/Deep folder/name with blank and ünï.jpg"].node.size_bytes == 70_000
    assert (entries["photos/NOTHING"].node.size_bytes, entries["photos/NOTHING"].node.is_directory) == (0, False)
    assert names_of(stick, "photos/UPPER.TXT") == []
    assert stick.entry("photos/none") is None


def test_all_of_fat_comes_out(stick: ImageFiles, photos: Path, tmp_path: Path) -> None:
    assert stick.take_out("", tmp_path / "out") == []
    assert content_of(tmp_path / "out/photos") == content_of(photos)
    assert (tmp_path / "out/photos/empty").is_dir()


@pytest.mark.parametrize("path", ["b[1].txt", "Deep folder/name with blank and ünï.jpg", "日本.txt", "NOTHING"])
def test_one_file_comes_out_of_fat_whatever_its_name(
    stick: ImageFiles, photos: Path, tmp_path: Path, path: str
) -> None:
    assert stick.take_out(f"photos/{path}", tmp_path / "out") == []
    assert content_of(tmp_path / "out") == {Path(path).name: (photos / path).read_bytes()}


def test_what_cannot_be_read_of_fat_is_told(stick: ImageFiles, tmp_path: Path) -> None:
    cut_chains(tmp_path / "stick.img")
    assert stick.take_out("photos/Deep folder", tmp_path / "out") != []


def cut_chains(image: Path) -> None:
    """Zero the allocation tables behind their first entries, which are those of folders."""
    with open(image, "r+b") as file:
        boot = file.read(64)
        reserved_count, tables_count = struct.unpack_from("<HB", boot, 14)
        table_sectors = struct.unpack_from("<H", boot, 22)[0] or struct.unpack_from("<I", boot, 36)[0]
        for table in range(tables_count):
            file.seek((reserved_count + table * table_sectors) * 512 + 32)
            file.write(bytes(table_sectors * 512 - 32))


# --- XFS


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("tree") / "tree"
    (made / "etc/deep folder").mkdir(parents=True)
    (made / "etc/hosts").write_bytes(b"127.0.0.1 here\n")
    (made / "etc/hosts").chmod(0o640)
    (made / "etc/link").symlink_to("hosts")
    (made / "etc/deep folder/two\nlines").write_bytes(os.urandom(70_000))
    (made / "many").mkdir()
    for number in range(600):
        (made / f"many/file {number}").write_bytes(b"%d" % number)
    return made


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> ImageFiles:
    need_tools("mkfs.xfs")
    folder = tmp_path_factory.mktemp("disk")
    image = make_file_system(folder / "disk.img", "xfs", 320 * MIB)
    filled(image, folder / "mnt", lambda mounted: shutil.copytree(tree, mounted / "tree", symlinks=True))
    return ImageFiles(image)


def test_xfs_is_listed_whatever_the_names(disk: ImageFiles, tree: Path) -> None:
    assert set(names_of(disk, "tree/many")) == {f"tree/many/{path.name}" for path in (tree / "many").iterdir()}
    entries = {entry.path: entry for entry in disk.below("tree/etc")}
    assert entries["tree/etc/deep folder"].node.is_directory
    assert entries["tree/etc/deep folder/two\nlines"].node.size_bytes == 70_000
    assert entries["tree/etc/hosts"].node.mode == 0o100640
    assert entries["tree/etc/link"].node.mode == 0o120777
    assert names_of(disk, "tree/etc/hosts") == names_of(disk, "none/at/all") == []


def test_files_come_out_of_xfs_with_modes_times_and_links(disk: ImageFiles, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "a folder with blanks"
    assert disk.take_out("tree", out) == []
    assert content_of(out) == content_of(tree)
    assert os.readlink(out / "etc/link") == "hosts"
    before, after = (tree / "etc/hosts").stat(), (out / "etc/hosts").stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


@pytest.mark.parametrize("path", ["etc/hosts", "etc/deep folder/two\nlines", "many/file 7"])
def test_one_file_comes_out_of_xfs_whatever_its_name(disk: ImageFiles, tree: Path, tmp_path: Path, path: str) -> None:
    assert disk.take_out(f"tree/{path}", tmp_path / "out") == []
    assert content_of(tmp_path / "out") == {Path(path).name: (tree / path).read_bytes()}
