"""Images of XFS and FAT that somebody wrote to get at the host of anyone who takes files out of them."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from kit.disks.hostile_images import MIB, Surroundings, patched, tree_of
from kit.disks.raw_volumes import filled, make_file_system
from kit.needs import need_loop_devices, need_tools
from producer.raw.inside.inside import ImageFiles


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(tmp_path / "outside")


# --- XFS


@pytest.fixture
def xfs(tmp_path: Path) -> Path:
    need_loop_devices()
    tree = tree_of(tmp_path / "tree", {"sub/NNNNNNNNNNNNN": b"evil", "good": b"good", "entry-two": b"evil"})
    (tree / "entry-one").symlink_to("NNNNNNNNNNNNN")
    for number in range(200):
        (tree / f"sub/file {number}").write_bytes(b"%d" % number * 1000)
    image = make_file_system(tmp_path / "disk.img", "xfs", 320 * MIB)
    return filled(
        image, tmp_path / "mnt", lambda mounted: shutil.copytree(tree, mounted / "tree", symlinks=True) and None
    )


@pytest.mark.parametrize("name", [b"../../../evil", b"../../precious"[:13], b"/tmp/evil-xfs"], ids=ascii)
def test_a_name_with_a_slash_in_xfs_writes_nothing(xfs: Path, around: Surroundings, name: bytes) -> None:
    patched(xfs, b"NNNNNNNNNNNNN", name)
    troubles = ImageFiles(xfs).take_out("tree", around.target)
    assert any("has a slash or a zero byte" in text for text in troubles)
    around.assert_untouched()
    assert len(os.listdir(around.target / "sub")) == 200


def test_a_link_and_a_file_of_the_same_name_in_xfs_write_no_file_where_the_link_leads(
    xfs: Path, around: Surroundings
) -> None:
    patched(xfs, b"entry-two", b"entry-one")
    assert any("occurs twice" in text for text in ImageFiles(xfs).take_out("tree", around.target))
    around.assert_untouched()


# --- FAT


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    need_tools("mkfs.vfat", "mcopy")
    tree = tree_of(
        tmp_path / "tree", {"sub/deep/NN_NN_evil name": b"evil", "sub/large": b"x" * 100_000, "good": b"good"}
    )
    image = make_file_system(tmp_path / "stick.img", "vfat", 64 * MIB)
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "MTOOLS_SKIP_CHECK": "1"}
    subprocess.run(["mcopy", "-s", "-i", image, *sorted(tree.iterdir()), "::"], env=environment, check=True)
    return image


def test_a_long_name_with_slashes_in_fat_writes_nothing(stick: Path, around: Surroundings) -> None:
    patched(stick, "NN_NN".encode("utf-16-le"), "../..".encode("utf-16-le"))
    troubles = ImageFiles(stick).take_out("", around.target)
    assert any("has a slash or a zero byte" in text for text in troubles)
    around.assert_untouched()


def test_clusters_in_a_circle_and_a_folder_in_itself_come_to_an_end(stick: Path, around: Surroundings) -> None:
    content = bytearray(stick.read_bytes())
    deep, sub = (content.index(name + b" " * (11 - len(name)) + b"\x10") for name in (b"DEEP", b"SUB"))
    content[deep + 26 : deep + 28] = content[sub + 26 : sub + 28]
    stick.write_bytes(content)
    troubles = ImageFiles(stick).take_out("", around.target)
    assert "sub/deep: it is a directory that has another name already" in troubles
    cluster = struct.unpack_from("<H", content, sub + 26)[0]
    table = struct.unpack_from("<H", content, 14)[0] * 512
    struct.pack_into("<I", content, table + 4 * cluster, cluster)
    stick.write_bytes(content)
    shutil.rmtree(around.target)
    assert [entry.path for entry in ImageFiles(stick).below("")] != []
