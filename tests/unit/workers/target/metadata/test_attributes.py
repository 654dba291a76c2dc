"""Extended attributes, flags and owners of restored entries, and what is counted where they cannot be set."""

from __future__ import annotations

import os
import pwd
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.needs import need, need_root
from kit.program.nobody import as_nobody
from tasks.orders import TargetEntry
from tasks.sources.metadata import OwnerNames
from workers.target.metadata.attributes import set_attributes
from workers.target.metadata.not_kept import NotKept
from workers.target.metadata.owners import LocalOwners

#: u::rwx, g::rwx, o::rwx and, as a default, what every new entry in the folder gets.
ACL = bytes.fromhex("0200000001000700ffffffff02000700 0c000000 04000700ffffffff10000700ffffffff20000700ffffffff")


def in_base64(**attributes: bytes) -> dict[str, str]:
    return {name.replace("_", ".", 1): b64encode(value).decode() for name, value in attributes.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(b"")
    try:
        os.setxattr(made, "user.probe", b"")
    except OSError as error:
        need(False, f"no extended attributes in temporary files: {error}")
    return made


@pytest.fixture
def without_attributes(tmp_path: Path) -> Iterator[Path]:
    """A file on a file system that has no extended attributes."""
    need_root("mount a file system without attributes")
    folder = tmp_path / "ramfs"
    folder.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "none", folder], check=True)
    try:
        made = folder / "file"
        made.write_bytes(b"")
        yield made
    finally:
        subprocess.run(["umount", folder], check=True)


def test_what_the_entry_has_is_set_and_what_the_host_put_there_stays(file: Path) -> None:
    os.setxattr(file, "user.host", b"label")
    set_attributes(str(file), in_base64(user_mine=b"\0\xff"), not_kept := NotKept())
    assert os.getxattr(file, "user.mine") == b"\0\xff"
    assert os.getxattr(file, "user.host") == b"label"
    assert not not_kept.not_kept + not_kept.unsupported


def test_an_acl_that_comes_from_the_folder_alone_is_taken_away(tmp_path: Path, file: Path) -> None:
    os.setxattr(tmp_path, "system.posix_acl_default", ACL)
    inherits = tmp_path / "new"
    inherits.mkdir()
    assert "system.posix_acl_access" in os.listxattr(inherits)
    set_attributes(str(inherits), {}, NotKept())
    assert not any(name.startswith("system.posix_acl") for name in os.listxattr(inherits))


def test_a_file_system_without_attributes_is_counted_once_for_each_entry(without_attributes: Path) -> None:
    set_attributes(str(without_attributes), in_base64(user_a=b"1", user_b=b"2"), not_kept := NotKept())
    assert (not_kept.unsupported, not_kept.not_kept) == ({"attributes": 1}, {})


def test_attributes_that_only_root_may_set_are_counted_for_a_user(tmp_path: Path) -> None:
    folder = tmp_path / "of nobody"
    folder.mkdir()

    def restore(folder: Path) -> None:
        (folder / "file").write_bytes(b"")
        set_attributes(str(folder / "file"), in_base64(trusted_mine=b"1", user_mine=b"2"), not_kept := NotKept())
        assert (not_kept.not_kept, not_kept.unsupported) == ({"attributes": 1}, {})
        assert os.getxattr(folder / "file", "user.mine") == b"2"

    as_nobody(folder, restore)


def test_owners_go_by_name_where_the_host_knows_it_and_by_number_where_not() -> None:
    someone = pwd.getpwall()[1]
    names = OwnerNames(users={"4242": someone.pw_name, "4243": "nobody knows this name"})
    entry = TargetEntry(kind="file", path="x", mode=0, uid=4242, gid=7, mtime_ns=0)
    owners = LocalOwners(names)
    assert (owners.uid(4242), owners.uid(4243), owners.uid(5)) == (someone.pw_uid, 4243, 5)
    assert (owners.localized(entry).uid, owners.localized(entry).gid) == (someone.pw_uid, 7)
    assert LocalOwners(OwnerNames()).localized(entry) is entry
