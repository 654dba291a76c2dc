"""Snapshots as a file system, through the kernel."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.compare import differences
from kit.deadlines import eventually
from kit.needs import need, need_root, need_tools
from kit.program.command import Running
from kit.program.machine import Machine
from kit.stored.segments import header_of
from kit.tree import Device, Entries, Fifo, File, Folder, HardLink, SparseFile, Symlink, Tree, noise

ENTRIES: Entries = {
    "pieces": noise(3_000_000),
    "bundle/a": noise(9_000, seed=3),
    "bundle/b": File(noise(9_000, seed=4), mode=0o640, owner=(1234, 5678)),
    "bundle/link to a": HardLink("bundle/a"),
    "symbolic": Symlink("bundle/a"),
    "empty": b"",
    "hole": SparseFile(5_000_000, {2_000_000: b"island"}),
    "attributes": File(b"2", attributes={"user.bytes": b"\0\xff"}),
    "fifo": Fifo(),
    "null": Device("character", 1, 3),
    "folder": Folder(mode=0o1777, attributes={"user.x": b"y"}),
    b"not utf-8 \xff/\xfe": b"3",
}


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Machine:
    need_root("mount")
    need(os.path.exists("/dev/fuse"), "there is no /dev/fuse")
    need_tools("fusermount3")
    source = Tree(ENTRIES).make(shared_machine.folder / "data")
    options = ("--segment-size=256KiB", "--unit-size=64KiB", "--bundle=on")
    shared_machine.succeed("backup", source, *shared_machine.devices("a b"), *options)
    return shared_machine


@pytest.fixture
def mounted(stored: Machine) -> Iterator[tuple[Running, Path]]:
    folder = stored.folder / "mnt"
    folder.mkdir(exist_ok=True)
    running = stored.start("mount", "latest", folder)
    try:
        eventually(lambda: "mounted 1 snapshot" in running.stderr or running.has_ended, "it is mounted")
        assert not running.has_ended, running.wait()
        yield running, folder / "volumes/data/latest/data"
    finally:
        subprocess.run(["fusermount3", "-u", "-z", folder], capture_output=True, check=False)
        running.end()


def test_a_mounted_snapshot_is_what_was_backed_up(stored: Machine, mounted: tuple[Running, Path]) -> None:
    running, data = mounted

    assert differences(stored.folder / "data", data) == []
    assert os.stat(data / "bundle/a").st_ino == os.stat(data / "bundle/link to a").st_ino
    with pytest.raises(OSError, match="Read-only") as refused:
        (data / "new").touch()
    assert refused.value.errno == errno.EROFS

    running.signal(signal.SIGTERM)
    done = running.wait()
    assert (done.exit_code, "Traceback" in done.stderr) == (0, False)
    assert os.listdir(stored.folder / "mnt") == []


def test_many_read_at_random_at_once(stored: Machine, mounted: tuple[Running, Path]) -> None:
    _, data = mounted
    content = ENTRIES["pieces"]
    assert isinstance(content, bytes)

    def part(offset: int) -> bytes:
        with open(data / "pieces", "rb") as file:
            return os.pread(file.fileno(), 70_000, offset)

    offsets = [number * 999_983 % 2_990_000 for number in range(60)]
    with ThreadPoolExecutor(8) as readers:
        assert list(readers.map(part, offsets)) == [content[offset : offset + 70_000] for offset in offsets]


def test_a_damaged_file_fails_alone_and_is_named_once(stored: Machine, mounted: tuple[Running, Path]) -> None:
    running, data = mounted
    segment = next(path for path in stored.segments_on() if "bundle/a" in header_of(path)["extents"]["paths"])
    kept = segment.read_bytes()
    segment.write_bytes(kept[:100])
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output"):
                (data / "bundle/a").read_bytes()
        assert (data / "pieces").read_bytes() == ENTRIES["pieces"]
    finally:
        segment.write_bytes(kept)

    assert (data / "bundle/a").read_bytes() == ENTRIES["bundle/a"]
    subprocess.run(["fusermount3", "-u", stored.folder / "mnt"], check=True)
    done = running.wait()
    assert done.exit_code == 0
    assert done.stderr.count("data/bundle/a: cannot be read: object ") == 1


def test_what_cannot_be_mounted_on_is_refused(stored: Machine) -> None:
    full = stored.folder / "data"

    for folder, says in (
        (full, "is not empty"),
        (full / "none", "does not exist"),
        (full / "empty", "is not a folder"),
    ):
        done = stored.run("mount", "latest", folder)
        assert (done.exit_code, says in done.stderr, "Traceback" in done.stderr) == (2, True, False), done
