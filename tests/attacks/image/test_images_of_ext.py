"""Images of ext2, ext3 and ext4 that somebody wrote to get at the host of anyone who takes files out of them."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kit.disks.hostile_images import MIB, Surroundings, debugfs, patched, tree_of
from kit.disks.raw_volumes import make_file_system
from kit.needs import need_root, need_tools
from producer.raw.inside.inside import ImageFiles


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(tmp_path / "outside")


def ext_of(image: Path, tree: Path, *options: str) -> Path:
    need_tools("mkfs.ext4", "debugfs")
    return make_file_system(image, "ext4", 24 * MIB, "-d", str(tree), *options)


HOSTILE_NAMES = [
    b"../../../evil",
    b"../../precious",
    b"/tmp/evil-name",
    b"a\0/../../evil",
    b"././././evil",
    b"x/../../evi/",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_name_with_a_slash_in_ext_writes_nothing(tmp_path: Path, around: Surroundings, name: bytes) -> None:
    placeholder = "N" * len(name)
    image = ext_of(tmp_path / "disk.img", tree_of(tmp_path / "tree", {placeholder: b"evil", "good": b"good"}))
    patched(image, placeholder.encode(), name)
    troubles = ImageFiles(image).take_out("", around.target)
    assert any("has a slash or a zero byte" in text for text in troubles)
    assert around.names() == ["good", "lost+found"]
    around.assert_untouched()
    assert not os.path.exists("/tmp/evil-name")


def test_dot_and_dot_dot_are_no_files(tmp_path: Path, around: Surroundings) -> None:
    image = ext_of(tmp_path / "disk.img", tree_of(tmp_path / "tree", {"sub/..N": b"evil", "good": b"good"}))
    # The length of the name stays in the byte before its type.
    patched(image, b"\x03\x01..N", b"\x02\x01..N")
    ImageFiles(image).take_out("", around.target)
    assert os.listdir(around.target / "sub") == []
    around.assert_untouched()


def test_a_link_and_a_file_of_the_same_name_write_no_file_where_the_link_leads(
    tmp_path: Path, around: Surroundings
) -> None:
    tree = tree_of(tmp_path / "tree", {"entry-two": b"evil"})
    (tree / "entry-one").symlink_to(around.precious)
    image = patched(ext_of(tmp_path / "disk.img", tree), b"entry-two", b"entry-one")
    troubles = ImageFiles(image).take_out("", around.target)
    assert any("occurs twice" in text for text in troubles)
    around.assert_untouched()


def test_a_link_and_a_folder_of_the_same_name_write_nothing_into_what_the_link_leads_to(
    tmp_path: Path, around: Surroundings
) -> None:
    tree = tree_of(tmp_path / "tree", {"entry-two/precious": b"evil"})
    (tree / "entry-one").symlink_to(around.folder)
    image = patched(ext_of(tmp_path / "disk.img", tree), b"entry-two", b"entry-one")
    ImageFiles(image).take_out("", around.target)
    around.assert_untouched()


def test_a_link_in_the_target_is_not_followed(tmp_path: Path, around: Surroundings) -> None:
    (around.target / "good").symlink_to(around.precious)
    image = ext_of(tmp_path / "disk.img", tree_of(tmp_path / "tree", {"good": b"good"}))
    assert ImageFiles(image).take_out("good", around.target) == []
    around.assert_untouched()
    assert (around.target / "good").read_bytes() == b"good"


def test_names_that_look_like_options_quotes_or_rows_are_names(tmp_path: Path, around: Surroundings) -> None:
    names = {'"; rdump / ..': b"1", "-rf": b"2", "two\n/2/040755/0/0/evil//": b"3", "$(touch x)": b"4", "\x1b[2J": b"5"}
    names = {name.replace("/", "_"): content for name, content in names.items()}
    image = ext_of(tmp_path / "disk.img", tree_of(tmp_path / "tree", names))
    assert ImageFiles(image).take_out("", around.target) == []
    assert {path.name: path.read_bytes() for path in around.target.iterdir() if path.is_file()} == names


def test_folders_that_hold_each_other_are_entered_once(tmp_path: Path, around: Surroundings) -> None:
    image = ext_of(tmp_path / "disk.img", tree_of(tmp_path / "tree", {"a/b/file": b"content"}))
    debugfs(image, "link / a/b/to-root", "link /a a/b/to-a")
    files = ImageFiles(image)
    assert [entry.path for entry in files.below("")] == ["a", "lost+found", "a/b", "a/b/file"]
    troubles = files.take_out("", around.target)
    assert any("a/b/to-root: it is a directory that has another name already" in text for text in troubles)
    assert sorted(path.name for path in around.target.rglob("*")) == ["a", "b", "file", "lost+found"]


def test_a_size_without_content_takes_no_room(tmp_path: Path, around: Surroundings) -> None:
    image = ext_of(tmp_path / "disk.img", tree_of(tmp_path / "tree", {"huge": b"x", "good": b"good"}))
    debugfs(image, "sif huge size 0x7ffffffffffffff")
    troubles = ImageFiles(image).take_out("", around.target)
    assert [text.partition(":")[0] for text in troubles] == ["huge"]
    assert around.names() == ["good", "lost+found"]


def test_lists_of_blocks_that_refer_to_themselves_come_to_an_end(tmp_path: Path, around: Surroundings) -> None:
    tree = tree_of(tmp_path / "tree", {"file": b"x" * 2 * MIB, "good": b"good"})
    image = ext_of(tmp_path / "disk.img", tree, "-O", "^extents,^64bit", "-b", "1024")
    debugfs(image, "sif file size 0x3fffffffff", "sif file block[TIND] 5000", "sif file block[DIND] 5000")
    content = bytearray(image.read_bytes())
    content[5000 * 1024 : 5001 * 1024] = struct.pack("<I", 5000) * 256
    image.write_bytes(content)
    troubles = ImageFiles(image).take_out("", around.target)
    assert troubles == ["file: a list of its blocks occurs twice"]
    assert around.names() == ["good", "lost+found"]


def test_one_block_that_is_a_whole_file_many_times_over_is_refused(tmp_path: Path, around: Surroundings) -> None:
    tree = tree_of(tmp_path / "tree", {"file": b"x" * 20 * 1024, "good": b"good"})
    image = ext_of(tmp_path / "disk.img", tree, "-O", "^extents,^64bit", "-b", "1024")
    content = bytearray(image.read_bytes())
    # 256 lists of 256 times the same block, whose content does not matter.
    content[9000 * 1024 : 9001 * 1024] = struct.pack("<256I", *range(9001, 9257))
    content[9001 * 1024 : 9257 * 1024] = struct.pack("<I", 9300) * 256 * 256
    image.write_bytes(content)
    debugfs(image, "sif file size 0x3fffffff", "sif file block[DIND] 9000")
    assert ImageFiles(image).take_out("", around.target) == ["file: the files claim more bytes than the image has"]


def test_one_file_under_many_names_takes_no_more_room_than_the_image_has(tmp_path: Path, around: Surroundings) -> None:
    tree = tree_of(tmp_path / "tree", {"file": b"x" * 5 * MIB})
    image = ext_of(tmp_path / "disk.img", tree)
    # The count of its links stays 1, so that each name looks like a file of its own.
    debugfs(image, *(f"link file name{number}" for number in range(8)))
    troubles = ImageFiles(image).take_out("", around.target)
    assert len(troubles) == 5
    assert all(text.endswith("the files claim more bytes than the image has") for text in troubles)
    assert sum(path.stat().st_blocks * 512 for path in around.target.iterdir()) <= 24 * MIB


def test_devices_of_an_image_are_not_made(tmp_path: Path, around: Surroundings) -> None:
    image = ext_of(tmp_path / "disk.img", tree_of(tmp_path / "tree", {"good": b"good"}))
    debugfs(image, "mknod disk b 8 0", "sif disk mode 060666")
    assert ImageFiles(image).take_out("", around.target) == ["disk: a device is not extracted from an image"]


def test_who_cannot_give_files_away_gets_no_program_that_runs_as_himself(tmp_path: Path, around: Surroundings) -> None:
    need_root("become somebody else")
    image = ext_of(tmp_path / "disk.img", tree_of(tmp_path / "tree", {"program": b"#!"}))
    debugfs(image, "sif program mode 0104755")
    ImageFiles(image).take_out("", around.target)
    assert (around.target / "program").stat().st_mode & 0o7777 == 0o4755
    script = (
        "import os, sys; from pathlib import Path; from producer.raw.inside.inside import ImageFiles\n"
        "files = ImageFiles(Path(sys.argv[1])); os.setuid(65534); print(files.take_out('program', Path(sys.argv[2])))"
    )
    with tempfile.TemporaryDirectory() as as_nobody:
        os.chown(as_nobody, 65534, 65534)
        subprocess.run([sys.executable, "-c", script, image, as_nobody], check=True)
        assert (Path(as_nobody) / "program").stat().st_mode & 0o7777 == 0o755
