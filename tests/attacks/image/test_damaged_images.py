"""Images with random damage: taking files out of them ends, and writes only where it was asked to."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kit.disks.hostile_images import MIB, Surroundings, tree_of
from kit.disks.raw_volumes import filled, make_file_system
from kit.needs import need_loop_devices, need_tools
from producer.raw.inside.inside import ImageFiles
from tasks.errors import SegfleetError

ROUNDS = 60


def ext4_of(tree: Path, folder: Path) -> Path:
    return make_file_system(folder / "disk.img", "ext4", 8 * MIB, "-O", "inline_data", "-d", str(tree))


def ext2_of(tree: Path, folder: Path) -> Path:
    return make_file_system(folder / "disk.img", "ext4", 8 * MIB, "-t", "ext2", "-d", str(tree))


def fat_of(tree: Path, folder: Path) -> Path:
    need_tools("mkfs.vfat", "mcopy")
    image = make_file_system(folder / "disk.img", "vfat", 64 * MIB)
    names = [path for path in sorted(tree.iterdir()) if not path.is_symlink()]
    subprocess.run(["mcopy", "-s", "-i", image, *names, "::"], env={**os.environ, "MTOOLS_SKIP_CHECK": "1"}, check=True)
    return image


def xfs_of(tree: Path, folder: Path) -> Path:
    need_loop_devices()
    image = make_file_system(folder / "disk.img", "xfs", 320 * MIB)

    def fill(mounted: Path) -> None:
        shutil.copytree(tree, mounted / "tree", symlinks=True)

    return filled(image, folder / "mnt", fill)


@contextmanager
def damaged(image: Path, blocks: list[int], chance: random.Random) -> Iterator[None]:
    """The image with up to 200 other bytes where it is not empty; whole again afterwards."""
    places = [chance.choice(blocks) * 512 + chance.randrange(512) for _ in range(chance.choice((1, 5, 200)))]
    with open(image, "r+b", buffering=0) as file:
        before = [os.pread(file.fileno(), 1, place) for place in places]
        for place in places:
            os.pwrite(file.fileno(), bytes([chance.choice((0, 1, 0x2F, 0xFF, chance.randrange(256)))]), place)
        yield
        for place, byte in zip(places, before, strict=True):
            os.pwrite(file.fileno(), byte, place)


def blocks_with_content(image: Path) -> list[int]:
    """The numbers of the blocks of 512 bytes that are not zeros, among the first of the image."""
    content = image.read_bytes()[: 48 * MIB]
    return [start // 512 for start in range(0, len(content), 512) if any(content[start : start + 512])]


@pytest.mark.parametrize("make", [ext4_of, ext2_of, fat_of, xfs_of])
def test_an_image_with_random_damage_writes_nothing_elsewhere(
    make: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    around = Surroundings(tmp_path / "outside")
    names = {
        "sub/deep/file": b"x" * 3000,
        "sub/small": b"y",
        "good": b"good" * 500,
        **{f"n{n}": b"" for n in range(40)},
    }
    tree = tree_of(tmp_path / "tree", names)
    (tree / "link").symlink_to("../" * 20)
    image = make(tree, tmp_path)
    blocks, chance = blocks_with_content(image), random.Random("images")
    for _ in range(ROUNDS):
        with damaged(image, blocks, chance), suppress(SegfleetError):
            ImageFiles(image).take_out("", around.target)
        around.assert_untouched()
        around.empty()
