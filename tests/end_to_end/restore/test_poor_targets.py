"""What the target's file system cannot keep is reported once for each kind, and all else is restored."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from kit.compare import differences
from kit.disks.poor_mount import poor_mount
from kit.disks.raw_volumes import loop_device, make_file_system
from kit.needs import need_root, need_tools
from kit.program.command import Done
from kit.program.machine import Machine
from kit.tree import Device, Fifo, File, Folder, HardLink, SparseFile, Symlink, Tree, noise

#: cap_net_raw=ep
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
ATTRIBUTES = {"user.colour": b"red", "security.capability": CAPABILITY}

TREE = Tree(
    {
        "plain": b"x",
        "private": File(b"secret", mode=0o600),
        "theirs": File(b"owned", mode=0o4755, owner=(7, 8), attributes=ATTRIBUTES),
        "folder": Folder(mode=0o700, owner=(3, 4), attributes={"user.colour": b"blue"}),
        "folder/pieces": noise(600_000),
        "folder/empty": b"",
        "flags": File(b"flags", flags="id"),
        "holes": SparseFile(3_000_000, {1_000_000: b"island"}),
        "links/to plain": HardLink("plain"),
        "links/to plain too": HardLink("plain"),
        "links/to pieces": HardLink("folder/pieces"),
        "links/to holes": HardLink("holes"),
        "way": Symlink("plain"),
        "their way": Symlink("nowhere", owner=(5, 6)),
        "pipe": Fifo(),
        "null": Device("character", 1, 3),
        "n" * 150: b"long",
        "a:b": b"odd",
        "odd*/inside": b"odd too",
        b"\xff": b"not text",
        "case/Readme": b"one",
        "case/README": b"other",
        "case/large": noise(600_000, seed=1),
        "case/LARGE": noise(600_000, seed=2),
        "case/Folder/file": b"1",
        "case/folder/file": b"2",
    }
)
NOT_PLAIN = {"data/a:b", "data/odd*", "data/odd*/inside", os.fsdecode(b"data/\xff")}


@contextmanager
def ramfs(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def exfat(folder: Path) -> Iterator[Path]:
    need_tools("mount.exfat-fuse", "mkfs.exfat")
    folder.mkdir()
    image = make_file_system(folder.with_name("exfat.image"), "exfat", 64 * 2**20)
    with loop_device(image) as device:
        subprocess.run(["mount.exfat-fuse", device, folder], check=True, capture_output=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)


def poor(*lacks: str) -> Callable[[Path], AbstractContextManager[Path]]:
    return lambda folder: poor_mount(folder, *lacks)


@pytest.fixture(scope="module")
def backed_up(shared_machine: Machine) -> Machine:
    need_root("mount file systems")
    source = TREE.make(shared_machine.folder / "data")
    options = ("--segment-size=256KiB", "--unit-size=64KiB")
    shared_machine.succeed("backup", source, *shared_machine.devices("a b"), *options)
    return shared_machine


def lacks_of(done: Done) -> dict[str, int]:
    """Kind → entries, as the errors that name no path say; fails the test if a kind is named twice."""
    told = [error["message"] for error in done.errors if error["code"] == "not-kept"]
    found = [re.match(r"(.+) \((\d+)\) are ", message) for message in told]
    kinds = {match[1]: int(match[2]) for match in found if match}
    assert len(kinds) == len(told), told
    return kinds


def others_of(done: Done) -> set[str]:
    return {error["path"] for error in done.errors if error["code"] != "not-kept"}


def differing(backed_up: Machine, out: Path) -> set[str]:
    """What differs, without saying where."""
    told = differences(backed_up.folder / "data", out / "data")
    return {
        re.sub(r".*': (\w+) should be .*|.* (is missing|should not be there)$", r"\1\2", line, flags=re.DOTALL)
        for line in told
    }


def restored(backed_up: Machine, target: Path, *options: str) -> Done:
    done = backed_up.run("restore", "latest", "--target", target / "out", "--json", *options)
    assert done.exit_code == 3
    assert done.summary["not_kept"] == {}
    return done


def test_without_attributes(backed_up: Machine) -> None:
    with ramfs(backed_up.folder / "ramfs") as target:
        done = restored(backed_up, target)
        assert lacks_of(done) == {"extended attributes": 2, "file flags": 1}
        assert others_of(done) == set()
        assert differing(backed_up, target / "out") == {"attributes", "flags"}


def test_exfat(backed_up: Machine) -> None:
    with exfat(backed_up.folder / "exfat") as target:
        done = restored(backed_up, target)
        lacks = lacks_of(done)
        assert set(lacks) == {
            *("extended attributes", "file flags", "modes", "owners", "times"),
            *("device nodes", "FIFOs", "symbolic links", "hard links"),
        }
        assert (lacks["symbolic links"], lacks["hard links"], lacks["owners"]) == (2, 4, 2)
        # The one that comes first keeps its name and content.
        folded = {"data/case/Readme", "data/case/large", "data/case/folder", "data/case/folder/file"}
        assert {path.lower() for path in others_of(done) - NOT_PLAIN} == {path.lower() for path in folded}
        names = {"attributes", "flags", "mode", "owner", "mtime_ns", "names", "is missing"}
        assert differing(backed_up, target / "out") == names


def test_a_file_system_that_refuses_nearly_all(backed_up: Machine) -> None:
    refuses = poor("owners", "attributes", "symlinks", "hard links", "nodes", "times")
    with refuses(backed_up.folder / "refuses") as target:
        done = restored(backed_up, target)
        lacks = lacks_of(done)
        assert lacks.pop("times") > 10
        nodes = {"device nodes": 1, "FIFOs": 1, "symbolic links": 2, "hard links": 4}
        assert lacks == {"extended attributes": 2, "file flags": 1, "owners": 2} | nodes
        assert others_of(done) == set()
        names = {"attributes", "flags", "mode", "owner", "mtime_ns", "names", "is missing"}
        assert differing(backed_up, target / "out") == names


def test_a_file_system_that_drops_in_silence_or_takes_few_names(backed_up: Machine) -> None:
    drops = poor("modes kept", "owners kept", "nanoseconds", "many links", "long names", "odd names")
    with drops(backed_up.folder / "drops") as target:
        done = restored(backed_up, target)
        assert set(lacks_of(done)) == {"modes", "owners", "times", "file flags", "hard links"}
        assert others_of(done) == NOT_PLAIN | {"data/" + "n" * 150}
        assert differing(backed_up, target / "out") == {"flags", "mode", "owner", "mtime_ns", "names", "is missing"}


def test_times_that_the_target_rounds_count_as_the_same_when_it_is_restored_again(backed_up: Machine) -> None:
    rounds = poor("nanoseconds")
    with rounds(backed_up.folder / "rounds") as target:
        restored(backed_up, target)
        again = restored(backed_up, target, "--overwrite=if-changed")
        assert again.summary["skipped"] > 5
        assert again.summary["bytes_restored"] == 0
