"""A tree of every kind of entry and attribute comes back, all of it for root, and what users may set for users."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from kit.compare import Look, differences, look_at
from kit.needs import need_root
from kit.program.machine import Machine
from kit.program.nobody import NOBODY, as_nobody
from kit.tree import Device, Entry, Fifo, File, Folder, HardLink, Socket, SparseFile, Symlink, Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")

#: As the kernel has it: version, then tag, rights, number for each.  u::rw-, user 12: rw-, g::r--, mask rw-, o::---
ACCESS_ACL = bytes.fromhex("0200000001000600ffffffff020006000c00000004000400ffffffff10000600ffffffff20000000ffffffff")
#: u::rwx, g::r-x, group 34: rwx, mask rwx, o::---
DEFAULT_ACL = bytes.fromhex("0200000001000700ffffffff04000500ffffffff080007002200000010000700ffffffff20000000ffffffff")
#: cap_net_raw=ep
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")

#: With the name of the source it is 4,096 characters long.
DEEP = "/".join([*["d" * 240] * 16, "deep/"]) + "f" * (4096 - len("data/") - 16 * 241 - len("deep/"))

#: What every user can make and restore.
OF_EVERYBODY: Mapping[str | bytes, Entry | bytes] = {
    "files/empty": b"",
    "files/small": b"text\n",
    "files/large": noise(900_000),
    "files/one more than a piece": noise(256 * 1024 + 1, seed=1),
    "files/zeros": bytes(300_000),
    "sparse/island": SparseFile(3_000_000, {1_000_000: b"island", 2_999_990: b"end"}),
    "sparse/only a hole": SparseFile(1_000_000, {}),
    "sparse/begins with data": SparseFile(500_000, {0: noise(5_000)}),
    "links/of large": HardLink("files/large"),
    "links/far/of large": HardLink("files/large"),
    "links/of empty": HardLink("files/empty"),
    "links/of island": HardLink("sparse/island"),
    "ways/dangling": Symlink("nowhere"),
    "ways/absolute": Symlink("/etc/passwd", mtime_ns=5),
    "ways/to a folder": Symlink("../files"),
    "ways/long": Symlink("x/" * 2000 + "end"),
    b"ways/not utf-8": Symlink(b"\xff\xfe"),
    "pipe": Fifo(mode=0o620),
    "socket": Socket(),
    "modes/none": File(b"secret", mode=0),
    "modes/all": File(b"", mode=0o7777),
    "modes/setuid": File(b"#!", mode=0o4755),
    "modes/setgid": File(b"#!", mode=0o2755),
    "modes/sticky": Folder(mode=0o1777),
    "modes/setgid folder": Folder(mode=0o2775),
    "modes/read only": Folder(mode=0o555),
    "modes/read only/file": File(b"inside", mode=0o400),
    "modes/closed": Folder(mode=0),
    "modes/like one unfinished": File(b"0200", mode=0o200),
    "modes/like an unfinished folder": Folder(mode=0o1700),
    "attributes/file": File(b"1", attributes={"user.empty": b"", "user.binary": bytes(range(256)) * 8}),
    "attributes/many": File(b"2", attributes={f"user.number {number}": b"%d" % number for number in range(100)}),
    "attributes/folder": Folder(attributes={"user.colour": b"red"}),
    "attributes/large file": File(noise(600_000, seed=2), attributes={"user.colour": b"blue"}),
    "attributes/empty file": File(b"", attributes={"user.colour": b"green"}),
    "attributes/acl": File(b"3", mode=0o660, attributes={"system.posix_acl_access": ACCESS_ACL}),
    "attributes/acls": Folder(
        mode=0o770, attributes={"system.posix_acl_access": ACCESS_ACL, "system.posix_acl_default": DEFAULT_ACL}
    ),
    "attributes/acls/inside": Folder(),
    "attributes/acls/inside/file": b"without an ACL",
    "flags/no dump": File(b"4", flags="d"),
    "flags/folder": Folder(flags="d"),
    "times/before 1970": File(b"old", mtime_ns=-1_000_000_000_000_000_001),
    "times/1 ns before 1970": File(b"old", mtime_ns=-1),
    "times/1970": Folder(mtime_ns=0),
    "times/2400": File(b"far", mtime_ns=13_569_465_600_999_999_999),
    "times/way": Symlink("x", mtime_ns=-7),
    b"names/not utf-8 \xff\xfe": b"1",
    "names/two\nlines": b"2",
    "names/" + "x" * 255: b"3",
    "names/" + "ü" * 127: b"4",
    "names/ spaces ": b"5",
    "names/-leading dash": b"6",
    "names/\x1b[31mred\\": b"7",
    "names/*?[a]": b"8",
    "names/é": b"composed",
    "names/e\u0301": b"combined",
    "names/\u202egnp.exe": b"9",
    "names/.hidden": b"10",
    "names/...": b"11",
    b"names/" + bytes(byte for byte in range(1, 256) if byte != ord("/"))[:254]: b"12",
    "names/.segfleet-0123456789ab-0123456789abcdef01234567.part": b"13",
    DEEP: b"at the end of a long way",
}

#: What root alone can make or restore.
OF_ROOT: Mapping[str | bytes, Entry | bytes] = {
    "root/null": Device("character", 1, 3, mode=0o666),
    "root/large numbers": Device("block", 259, 1_048_575),
    "root/theirs": File(b"owned", mode=0o6755, owner=(1234, 4321)),
    "root/large theirs": File(noise(600_000, seed=3), mode=0o4711, owner=(1, 2)),
    "root/their way": Symlink("theirs", owner=(7, 8)),
    "root/their pipe": Fifo(owner=(9, 10)),
    "root/their folder": Folder(mode=0o2700, owner=(2**32 - 2, 0)),
    "root/capable": File(b"#!", mode=0o755, attributes={"security.capability": CAPABILITY}),
    "root/labelled": File(b"", attributes={"security.mine": b"label", "trusted.mine": b"\0", "user.mine": b"too"}),
    "root/labelled way": Symlink("x", attributes={"trusted.mine": b"of a symlink"}),
    "root/immutable": File(b"5", flags="i"),
    "root/immutable, with another name": HardLink("root/append only"),
    "root/append only": File(b"6", flags="ad"),
    "root/large immutable": File(noise(600_000, seed=4), flags="id"),
    "root/immutable folder": Folder(flags="i"),
    "root/immutable folder/file": File(b"7", flags="a"),
    "root/immutable folder/below": Folder(flags="ai"),
}


@pytest.fixture(scope="module")
def backed_up(shared_machine: Machine) -> Machine:
    need_root("make device nodes, give files away and set flags")
    source = Tree({**OF_EVERYBODY, **OF_ROOT}).make(shared_machine.folder / "data")
    shared_machine.succeed("backup", source, *shared_machine.devices("a b c"), *SMALL)
    return shared_machine


@pytest.fixture(scope="module")
def before(backed_up: Machine) -> dict[bytes, Look]:
    """The source, without what is not kept."""
    found = look_at(backed_up.folder / "data", holes=True)
    return {path: look for path, look in found.items() if look.kind != "s"}


def for_a_user(look: Look) -> Look:
    """What a user gets of an entry that belonged to others."""
    kept = frozenset((name, value) for name, value in look.attributes if name.startswith(("user.", "system.posix_acl")))
    mode = int(look.mode, 8) & ~0o6000
    return replace(
        look,
        owner=(NOBODY, NOBODY),
        mode=look.mode if look.kind == "l" else f"{mode:04o}",
        attributes=kept,
        flags="d" if "d" in look.flags else "",
    )


def test_root_gets_everything_back(backed_up: Machine, before: dict[bytes, Look]) -> None:
    done = backed_up.succeed("restore", "latest", "--target", "out", "--json")
    assert differences(before, backed_up.folder / "out" / "data", holes=True) == []
    assert (done.summary["not_kept"], done.stderr) == ({}, "")


def test_a_user_gets_all_that_a_user_may_set_and_the_rest_is_counted(
    backed_up: Machine, before: dict[bytes, Look]
) -> None:
    backed_up.run_as(NOBODY)
    done = backed_up.succeed("restore", "latest", "--target", "of a user", "--json")
    expected = {path: for_a_user(look) for path, look in before.items() if look.kind not in "cb"}
    assert differences(expected, backed_up.folder / "of a user" / "data", holes=True) == []
    counts = done.summary["not_kept"]
    assert counts.pop("owner") >= len(expected) - 10
    assert counts == {"device-node": 2, "attributes": 3, "flags": 6}


def test_a_user_gets_all_of_an_own_tree_back(machine: Machine) -> None:
    source = machine.folder / "data"
    source.mkdir()

    def make(folder: Path) -> None:
        Tree(OF_EVERYBODY).make(folder)

    as_nobody(source, make)
    if os.geteuid() == 0:
        machine.run_as(NOBODY)
    done = machine.run("backup", source, *machine.devices("a b"), *SMALL, "--json")
    unreadable = {str(source / path) for path in ("modes/none", "modes/closed", "modes/like one unfinished")}
    assert {error["path"] for error in done.errors} == unreadable
    restored = machine.run("restore", "latest", "--target", "out", "--json")
    assert (done.exit_code, restored.exit_code, restored.summary["not_kept"]) == (3, 3, {})
    named = {"data/modes/none", "data/modes/closed", "data/modes/like one unfinished"}
    assert {error["path"] for error in restored.errors} == named
    assert machine.run("check").exit_code == 3
    expected = {path: look for path, look in look_at(source, holes=True).items() if look.kind != "s"}
    del expected[b"modes/none"], expected[b"modes/like one unfinished"]
    assert differences(expected, machine.folder / "out" / "data", holes=True) == []
