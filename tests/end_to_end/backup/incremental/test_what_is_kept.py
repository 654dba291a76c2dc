"""Every row of docs/what-is-kept.md, by a backup and a restore of an entry that has it."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.hole_map import data_in
from kit.needs import need, need_root, program
from kit.program.machine import machine as new_machine
from kit.repository import REPOSITORY

MTIME_NS = 1_600_000_000_123_456_789
#: u::rw-, user 12: rw-, g::r--, mask rw-, o::--- as the kernel has it: version, then tag, rights, number for each.
ACL = bytes.fromhex("0200000001000600ffffffff020006000c00000004000400ffffffff10000600ffffffff20000000ffffffff")
#: cap_net_raw=ep
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")


@dataclass(frozen=True, kw_only=True)
class Row:
    """``make`` makes the entry at a path; ``holds`` says whether it came back as the row says."""

    make: Callable[[Path], object]
    holds: Callable[[Path, Path], bool]


def has_same(attribute: str) -> Callable[[Path, Path], bool]:
    return lambda before, after: getattr(before.lstat(), attribute) == getattr(after.lstat(), attribute)


def has_kind(is_kind: Callable[[int], bool]) -> Callable[[Path, Path], bool]:
    return lambda _, after: is_kind(after.lstat().st_mode)


def has_attribute(name: str, value: bytes) -> Callable[[Path, Path], bool]:
    return lambda _, after: os.getxattr(after, name) == value


def has_flags(*letters: str) -> Callable[[Path, Path], bool]:
    return lambda _, after: set(letters) <= set(flags_of(after))


def flags_of(path: Path) -> str:
    done = subprocess.run([program("lsattr"), "-d", path], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def with_holes(path: Path) -> None:
    with path.open("wb") as file:
        file.seek(2**20)
        file.write(b"between holes")
        file.truncate(2**22)


def has_same_map(before: Path, after: Path) -> bool:
    return data_in(before) == data_in(after) and before.stat().st_size == after.stat().st_size


def reserved(path: Path) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2**20)


def text(path: Path) -> None:
    path.write_bytes(b"text")


def with_mode(mode: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        text(path)
        path.chmod(mode)

    return make


def with_attribute(name: str, value: bytes) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        text(path)
        os.setxattr(path, name, value)

    return make


def with_flags(flags: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        text(path)
        subprocess.run([program("chattr"), flags, path], check=True)

    return make


def an_acl(path: Path) -> None:
    path.mkdir()
    os.setxattr(path, "system.posix_acl_access", ACL)
    os.setxattr(path, "system.posix_acl_default", ACL)


def a_hard_link(path: Path) -> None:
    text(path)
    os.link(path, path.with_name("another name"))


def a_linked_symlink(path: Path) -> None:
    path.symlink_to("x")
    os.link(path, path.with_name("another name"), follow_symlinks=False)


def a_socket(path: Path) -> None:
    # A socket's address is short: bind by a name in the working folder.
    before = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def an_odd_name(path: Path) -> None:
    path.mkdir()
    text(Path(os.fsdecode(os.fsencode(path) + b"/\xff\n")))


def given_away(path: Path) -> None:
    text(path)
    os.chown(path, 12, 34)


def read_long_ago(path: Path) -> None:
    text(path)
    os.utime(path, ns=(1, MTIME_NS))


def a_birth(path: Path) -> None:
    text(path)
    os.utime(path, ns=(MTIME_NS, MTIME_NS))


ROWS = {
    "regular file": Row(make=text, holds=lambda before, after: before.read_bytes() == after.read_bytes()),
    "folder": Row(make=Path.mkdir, holds=has_kind(stat.S_ISDIR)),
    "symbolic link": Row(make=lambda path: path.symlink_to("x"), holds=lambda _, after: os.readlink(after) == "x"),
    "hard link to a file": Row(
        make=a_hard_link, holds=lambda _, after: os.path.samefile(after, after.with_name("another name"))
    ),
    "hard link to anything else": Row(
        make=a_linked_symlink,
        holds=lambda _, after: os.readlink(after) == os.readlink(after.with_name("another name")) == "x",
    ),
    "holes of a file of 64 KiB or more": Row(make=with_holes, holds=has_same_map),
    "reserved space without data (`fallocate`)": Row(
        make=reserved, holds=lambda before, after: data_in(after) == [(0, before.stat().st_size)]
    ),
    "FIFO": Row(make=os.mkfifo, holds=has_kind(stat.S_ISFIFO)),
    "character or block device": Row(
        make=lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)), holds=has_same("st_rdev")
    ),
    "socket": Row(make=a_socket, holds=lambda _, after: not after.exists()),
    "name of any bytes": Row(
        make=an_odd_name,
        holds=lambda _, after: os.listdir(os.fsencode(after)) == [b"\xff\n"],
    ),
    "permissions, sticky bit": Row(make=with_mode(0o1641), holds=has_same("st_mode")),
    "set-user-id, set-group-id": Row(make=with_mode(0o6755), holds=has_same("st_mode")),
    "owner, group": Row(
        make=given_away,
        holds=lambda _, after: (after.stat().st_uid, after.stat().st_gid) == (12, 34),
    ),
    "time of the last change, in nanoseconds": Row(make=a_birth, holds=has_same("st_mtime_ns")),
    "time of the last access": Row(
        make=read_long_ago,
        holds=lambda _, after: after.stat().st_atime_ns != 1,
    ),
    "time of birth": Row(make=a_birth, holds=has_same("st_mtime_ns")),
    "user attributes (`user.*`)": Row(
        make=with_attribute("user.binary", bytes(range(256)) * 8),
        holds=has_attribute("user.binary", bytes(range(256)) * 8),
    ),
    "access and default ACLs": Row(
        make=an_acl,
        holds=lambda _, after: (
            os.getxattr(after, "system.posix_acl_access") == ACL
            and os.getxattr(after, "system.posix_acl_default") == ACL
        ),
    ),
    "capabilities (`security.capability`)": Row(
        make=with_attribute("security.capability", CAPABILITY), holds=has_attribute("security.capability", CAPABILITY)
    ),
    "other attributes of the system (`security.*`, `trusted.*`)": Row(
        make=with_attribute("trusted.mine", b"x"), holds=has_attribute("trusted.mine", b"x")
    ),
    "immutable, append-only": Row(make=with_flags("+ia"), holds=has_flags("i", "a")),
    "no dump": Row(make=with_flags("+d"), holds=has_flags("d")),
    "other file flags, quotas, project numbers": Row(
        make=with_flags("+A"), holds=lambda _, after: "A" not in flags_of(after)
    ),
}


@pytest.fixture(scope="module")
def trees() -> Iterator[tuple[Path, Path]]:
    """The source, with an entry for each row, and what came back."""
    need_root("make device nodes, give files away and set flags")
    with new_machine() as machine:
        source, target = machine.folder / "source", machine.folder / "target"
        source.mkdir()
        try:
            os.setxattr(source, "user.probe", b"")
        except OSError as error:
            need(False, f"no extended attributes in temporary files: {error}")
        try:
            for row in ROWS.values():
                folder = source / str(list(ROWS.values()).index(row))
                folder.mkdir()
                row.make(folder / "entry")
            machine.succeed("backup", source, *machine.devices("a b"))
            done = machine.succeed("restore", "latest:source", "--target", target, "--json")
            assert done.summary["not_kept"] == {}
            yield source, target
        finally:
            subprocess.run([program("chattr"), "-R", "-f", "-i", "-a", source, target], check=False)


def rows_of_the_page() -> list[str]:
    page = (REPOSITORY / "docs/what-is-kept.md").read_text()
    cells = re.findall(r"^\| ([^|]+?) \|", page, re.MULTILINE)
    return [cell for cell in cells if cell not in ("entry", "attribute")]


def test_each_row_of_the_page_is_tried() -> None:
    assert rows_of_the_page() == list(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_it_comes_back_as_the_page_says(trees: tuple[Path, Path], name: str) -> None:
    place = f"{list(ROWS).index(name)}/entry"
    source, target = trees
    assert ROWS[name].holds(source / place, target / place)
