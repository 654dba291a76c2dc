"""What goes in comes back: every byte, every kind of entry, all metadata."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.compare import differences
from kit.needs import need_root
from kit.program.command import Row
from kit.program.machine import Machine
from kit.program.proof import bring_back
from kit.tree import Fifo, File, Folder, HardLink, SparseFile, Symlink, Tree, noise

#: Small enough that a file of a few hundred KiB is cut into pieces, and a piece has several units.
SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")

AS_ROOT = os.geteuid() == 0

ALL_KINDS = Tree(
    {
        "empty file": b"",
        "empty folder": Folder(),
        "text": b"text\n",
        "a/b/c/d/e/f/g/h/deep": b"deep",
        "large": noise(900_000),
        "one byte more than a piece": noise(256 * 1024 + 1, seed=1),
        "another name of large": HardLink("large"),
        "a/b/third name of large": HardLink("large"),
        "small": File(b"linked"),
        "a/small again": HardLink("small"),
        "links/to a file": Symlink("../text"),
        "links/to a folder": Symlink("../a/b"),
        "links/dangling": Symlink("/nowhere/at all"),
        "links/absolute": Symlink("/etc/passwd", mtime_ns=5),
        b"links/not utf-8": Symlink(b"\xff\xfe"),
        "pipe": Fifo(mode=0o620),
        "modes/none": File(b"secret", mode=0),
        "modes/setuid": File(b"#!", mode=0o4755),
        "modes/setgid sticky": Folder(mode=0o3770),
        "modes/read only folder": Folder(mode=0o555),
        "modes/read only folder/file": File(b"inside", mode=0o444),
        "times/before 1970": File(b"old", mtime_ns=-1_000_000_000_000_000_001),
        "times/1 ns": File(b"", mtime_ns=1),
        "times/folder": Folder(mtime_ns=-7),
        "times/2200": File(b"far", mtime_ns=7_258_118_400_999_999_999),
        "sparse": SparseFile(3_000_000, {1_000_000: b"island", 2_999_990: b"end"}),
        "only a hole": SparseFile(1_000_000, {}),
        b"names/not utf-8 \xff\xfe": b"1",
        "names/two\nlines": b"2",
        "names/" + "x" * 255: b"3",
        "names/" + "ü" * 127: b"4",
        "names/ spaces ": b"5",
        "names/-leading dash": b"6",
        "names/\x1b[31mred\\": b"7",
        "names/*?[a]": b"8",
    }
)


#: Sources of one backup, by folder.
SOURCES = {
    "all/data": ALL_KINDS,
    "zeros": Tree({"swap": bytes(200_000), "large swap": bytes(600_000)}),
    "hollow": Tree({"empty": Folder(), "nothing": b""}),
    "empty": Tree({"folder": Folder(), "file": b""}),
    "2/data": Tree({"x": b"second", "empty": b""}),
    "3/data": Tree({"x": b"third"}),
    "4": Tree({"single": noise(300_000, seed=3)}),
    # As well as a process that is not root's can make it.
    "owned": Tree(
        {
            "file": File(b"theirs", mode=0o6755, owner=(1234, 4321)),
            "folder": Folder(owner=(1234, 0), mode=0o2700),
            "link": Symlink("file", owner=(7, 8)),
            "pipe": Fifo(owner=(9, 10)),
            "pieces": File(noise(600_000), mode=0o4711, owner=(1, 2)),
        }
        if AS_ROOT
        else {}
    ),
}
#: What of them is named on the command line → its name in the snapshot.
NAMED = {
    "all/data": "data",
    "zeros": "zeros",
    "hollow": "hollow",
    "empty/folder": "folder",
    "empty/file": "file",
    "2/data": "data-2",
    "3/data": "data-3",
    "4/single": "single",
    "owned": "owned",
}


@dataclass(frozen=True, kw_only=True)
class Returned:
    """What was restored, and what the backup and the restore said."""

    sources: Path
    out: Path
    backup: Row
    restore: Row

    def differences(self, source: str) -> list[str]:
        return differences(self.sources / source, self.out / NAMED[source])


@pytest.fixture(scope="module")
def returned(shared_machine: Machine) -> Returned:
    """One backup of all sources to three devices, restored whole."""
    sources = shared_machine.folder / "sources"
    for name, tree in SOURCES.items():
        tree.make(sources / name)
    named = [sources / name for name in NAMED]
    backup = shared_machine.succeed("backup", *named, *shared_machine.devices("a b c"), *SMALL, "--json").summary
    restore = shared_machine.succeed("restore", "latest", "--target", "out", "--json").summary
    return Returned(sources=sources, out=shared_machine.folder / "out", backup=backup, restore=restore)


def test_a_tree_of_all_kinds_comes_back_the_same(returned: Returned) -> None:
    assert returned.differences("all/data") == []
    assert returned.restore["errors"] == 0
    devices = returned.backup["devices"].values()
    assert sum(device["segments"] for device in devices) == returned.backup["segments"]
    assert all(device["segments"] for device in devices)


def test_one_device_is_enough(machine: Machine) -> None:
    source = ALL_KINDS.make(machine.folder / "data")

    machine.succeed("backup", source, *machine.devices("a"), *SMALL)
    bring_back(machine, "out")

    assert differences(source, machine.folder / "out" / "data") == []
    assert [path.name for path in (machine.folder / "out").iterdir()] == ["data"]


def test_zeros_that_were_written_come_back_written(returned: Returned) -> None:
    out = returned.out / "zeros"
    assert returned.differences("zeros") == []
    assert all((out / name).stat().st_blocks * 512 >= (out / name).stat().st_size for name in ("swap", "large swap"))


def test_owners_come_back_with_setuid_bits(returned: Returned) -> None:
    need_root("give files to other users")
    assert returned.differences("owned") == []


def test_sources_with_one_base_name_stay_apart(returned: Returned) -> None:
    assert sorted(path.name for path in returned.out.iterdir()) == sorted(NAMED.values())
    for source in ("all/data", "2/data", "3/data", "4/single"):
        assert returned.differences(source) == []


@pytest.mark.parametrize("source", ["hollow", "empty/folder", "empty/file"])
def test_a_source_may_be_empty_or_without_any_data(returned: Returned, source: str) -> None:
    assert returned.differences(source) == []


def test_a_backup_may_be_without_any_data(machine: Machine) -> None:
    source = Tree({"empty": Folder(), "nothing": b""}).make(machine.folder / "data")

    machine.succeed("backup", source, *machine.devices("a b"))
    bring_back(machine, "out")

    assert differences(source, machine.folder / "out" / "data") == []


def test_each_snapshot_comes_back_as_the_source_was_then(machine: Machine) -> None:
    source = machine.folder / "data"
    devices = machine.devices("a b")
    Tree({"stays": b"1", "changes": b"old", "goes": noise(300_000)}).make(source)
    first = machine.succeed("backup", source, *devices, *SMALL, "--json").summary["snapshot_id"]
    (source / "goes").unlink()
    (source / "changes").write_bytes(b"new and longer")
    (source / "comes").write_bytes(b"2")
    machine.succeed("backup", source, *devices, *SMALL)

    bring_back(machine, "then", snapshot=first[:8])
    bring_back(machine, "now")

    assert differences(source, machine.folder / "now" / "data") == []
    then = machine.folder / "then" / "data"
    assert (then / "changes").read_bytes() == b"old"
    assert (then / "goes").read_bytes() == noise(300_000)
    assert sorted(path.name for path in then.iterdir()) == ["changes", "goes", "stays"]


@pytest.mark.parametrize(
    "options",
    [("--split=remaining", "--order=ascending"), ("--bundle=off", "--balance=free", "--level=-7")],
    ids=" ".join,
)
def test_every_way_of_planning_brings_the_tree_back(machine: Machine, options: tuple[str, ...]) -> None:
    source = Tree({f"{number:02}": noise(number * 17_000, seed=number) for number in range(30)}).make(
        machine.folder / "data"
    )

    machine.succeed("backup", source, *machine.devices("a b c"), *SMALL, *options)
    bring_back(machine, "out")

    assert differences(source, machine.folder / "out" / "data") == []


def test_relative_paths_and_a_symlink_as_source_work(machine: Machine) -> None:
    source = Tree({"x": b"1"}).make(machine.folder / "data")
    (machine.folder / "way").symlink_to("data")
    machine.devices("a")

    machine.succeed("backup", "way", "--device", f"a={Path('devices') / 'a'}")
    bring_back(machine, "out")

    assert differences(source, machine.folder / "out" / "way") == []
