"""``segfleet dump`` of folders, through tar and zip."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import differences
from kit.needs import need_root, program
from kit.program.machine import Machine
from kit.stored.segments import header_of
from kit.tree import Device, Entries, Fifo, File, Folder, HardLink, SparseFile, Symlink, Tree, noise

#: u::rw-, user 12: rw-, g::r--, mask rw-, o::---
ACL = bytes.fromhex("0200000001000600ffffffff020006000c00000004000400ffffffff10000600ffffffff20000000ffffffff")

ENTRIES: Entries = {
    "pieces": noise(900_000),
    "bundle/a": noise(9_000, seed=3),
    "bundle/b": File(noise(9_000, seed=4), mode=0o4755, owner=(1234, 5678)),
    "bundle/link to a": HardLink("bundle/a"),
    "links/outside": HardLink("pieces"),
    "links/again": HardLink("pieces"),
    "links/symbolic": Symlink("../" + "far/" * 60),
    "links/" + "long name " * 20: b"long",
    "empty": b"",
    "hole": SparseFile(5_000_000, {2_000_000: b"island"}),
    "times/early": File(b"1", mtime_ns=-1),
    "attributes": File(b"2", attributes={"user.bytes": b"\0\xff", "system.posix_acl_access": ACL}),
    "fifo": Fifo(),
    "null": Device("character", 1, 3),
    "folder": Folder(mode=0o1777, attributes={"user.x": b"y"}),
    b"not utf-8 \xff/\xfe": b"3",
}


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Iterator[Machine]:
    need_root("make device nodes and owners")
    folder = shared_machine.folder
    sources = [Tree(ENTRIES).make(folder / "data"), Tree({"other": b"source"}).make(folder / "more")]
    options = ("--segment-size=256KiB", "--unit-size=64KiB", "--bundle=on")
    shared_machine.succeed("backup", *sources, *shared_machine.devices("a b"), *options)
    yield shared_machine


def extracted(archive: bytes, into: Path) -> Path:
    into.mkdir()
    tar = [program("tar"), "xp", "--xattrs", "--xattrs-include=*", "--numeric-owner"]
    done = subprocess.run(tar, cwd=into, input=archive, capture_output=True, check=True)
    # Of times before 1970.
    assert all(b"implausibly old time stamp" in line for line in done.stderr.splitlines())
    return into


def test_gnu_tar_makes_of_a_dump_what_was_backed_up(stored: Machine, tmp_path: Path) -> None:
    done = stored.succeed("dump", "latest", "/")

    out = extracted(done.stdout, tmp_path / "out")
    assert sorted(os.listdir(out)) == ["data", "more"]
    assert differences(stored.folder / "data", out / "data") == []
    assert differences(stored.folder / "more", out / "more") == []


def test_a_hard_link_whose_file_is_outside_the_folder_becomes_a_file(stored: Machine) -> None:
    done = stored.succeed("dump", "latest", "data/links")

    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        first, again = archive.getmember("data/links/again"), archive.getmember("data/links/outside")
        assert (first.size, again.type, again.linkname) == (900_000, tarfile.LNKTYPE, "data/links/again")
        content = archive.extractfile(first)
        assert content is not None and content.read() == ENTRIES["pieces"]
        assert "data/bundle/a" not in archive.getnames()


def test_a_zip_has_files_folders_and_symlinks_and_what_it_cannot_hold_is_named_once(stored: Machine) -> None:
    done = stored.succeed("dump", "latest", "data", "--zip")

    with zipfile.ZipFile(io.BytesIO(done.stdout)) as archive:
        assert archive.testzip() is None
        for name in ("data/pieces", "data/links/outside"):
            assert archive.read(name) == ENTRIES["pieces"]
        assert archive.read("data/not utf-8 \\xff/\\xfe") == b"3"
        assert archive.getinfo("data/hole").file_size == 5_000_000
    for words in ("device nodes and FIFOs: 2 entries", "extended attributes and ACLs: 2", "not UTF-8"):
        assert done.stderr.count(words) == 1


def test_what_is_damaged_is_named_and_never_passes_as_sound(stored: Machine, tmp_path: Path) -> None:
    segment = next(path for path in stored.segments_on() if "bundle/a" in header_of(path)["extents"]["paths"])
    kept = segment.read_bytes()
    segment.write_bytes(kept[:100])
    try:
        done = stored.run("dump", "latest", "data")
    finally:
        segment.write_bytes(kept)

    assert done.exit_code == 3
    lines = done.stderr.splitlines()
    for path in ("data/bundle/a", "data/bundle/link to a"):
        assert any(line.startswith(f"segfleet: {path}: not in the archive: object ") for line in lines), lines
    out = extracted(done.stdout, tmp_path / "out")
    assert not (out / "data/bundle/a").exists()
    assert (out / "data/pieces").read_bytes() == ENTRIES["pieces"]
