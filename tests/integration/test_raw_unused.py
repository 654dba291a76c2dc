"""What the tools of the file systems call free may be zeroed: the file system stays sound and keeps its files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from kit.disks.raw_volumes import is_sound, make_file_system
from kit.needs import need_tools, program
from producer.raw.inside.inside import ImageFiles
from producer.raw.ranges import Range
from producer.raw.unused import MIN_UNUSED_BYTES, unused_ranges
from tasks.errors import UsageError

MIB = 1024 * 1024


def with_garbage_in(image: Path, ranges: tuple[Range, ...]) -> None:
    with open(image, "r+b") as file:
        for item in ranges:
            file.seek(item.start)
            file.write(b"\xa5" * item.size_bytes)


def without_holes(image: Path) -> Path:
    """Holes are not free: the zeros in them may be an inode table's."""
    image.write_bytes(image.read_bytes())
    return image


def ext4_of(folder: Path, tree: Path, *options: str) -> Path:
    need_tools("mkfs.ext4", "dumpe2fs", "debugfs", "e2fsck")
    image = folder / "disk.img"
    with open(image, "wb") as file:
        file.truncate(96 * MIB)
    command: list[str | Path] = [
        program("mkfs.ext4"),
        "-q",
        "-F",
        *options,
        "-d",
        tree,
        image,
    ]
    subprocess.run(command, check=True)
    return without_holes(image)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    for number in range(50):
        folder = made / f"d{number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_bytes(os.urandom(1 + number * 3000))
    return made


@pytest.mark.parametrize("options", [(), ("-b", "1024"), ("-O", "^64bit,^metadata_csum"), ("-t", "ext2")])
def test_free_blocks_of_ext_may_hold_anything(tmp_path: Path, tree: Path, options: tuple[str, ...]) -> None:
    image = ext4_of(tmp_path, tree, *options)
    unused = unused_ranges(image, image.stat().st_size)
    assert "free blocks of ext" in unused.why
    assert sum(item.size_bytes for item in unused.ranges) > 60 * MIB
    assert all(item.size_bytes >= MIN_UNUSED_BYTES for item in unused.ranges)
    with_garbage_in(image, unused.ranges)
    assert is_sound(image, "ext4")
    troubles = ImageFiles(image).take_out("d3", tmp_path / "out")
    assert troubles == []
    for path in (tree / "d3").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("kind", "size_bytes"), [("xfs", 320 * MIB), ("vfat", 64 * MIB)])
def test_free_blocks_of_other_file_systems_may_hold_anything(tmp_path: Path, kind: str, size_bytes: int) -> None:
    need_tools("xfs_db", "partclone.fat")
    image = without_holes(make_file_system(tmp_path / "disk.img", kind, size_bytes))
    unused = unused_ranges(image, size_bytes)
    assert f"free blocks of {kind}" in unused.why
    assert sum(item.size_bytes for item in unused.ranges) > size_bytes / 2
    with_garbage_in(image, unused.ranges)
    assert is_sound(image, kind)


def test_a_journal_that_was_not_replayed_makes_all_blocks_count(tmp_path: Path, tree: Path) -> None:
    image = ext4_of(tmp_path, tree)
    subprocess.run([program("debugfs"), "-w", "-R", "feature needs_recovery", image], check=True, capture_output=True)
    unused = unused_ranges(image, image.stat().st_size)
    assert "journal has not been replayed" in unused.why


def test_what_no_tool_knows_is_used_but_for_its_holes(tmp_path: Path) -> None:
    image = tmp_path / "plain"
    with open(image, "wb") as file:
        file.write(b"x" * MIB)
        file.truncate(8 * MIB)
    unused = unused_ranges(image, 8 * MIB)
    assert "all blocks" in unused.why
    assert unused.ranges in ((Range(MIB, 8 * MIB),), ())


def test_files_come_only_out_of_file_systems_that_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(os.urandom(MIB))
    with pytest.raises(UsageError, match="ext2, ext3, ext4, FAT and XFS only"):
        ImageFiles(tmp_path / "plain")
