"""Targets that are neither empty nor plain: flags, sticky folders, mounts, groups, running programs, umasks."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.flags import clear_flags, set_flags
from kit.needs import need, need_root, program
from kit.program.nobody import NOBODY, as_nobody
from kit.stored.entries import MTIME_NS, entry, make_entries
from kit.stored.segment_in_memory import FILES, content, restore, store, whole_files
from tasks.receipts import RestoreResult


def of(result: RestoreResult) -> dict[str, str]:
    return {trouble.path: trouble.message for trouble in result.troubles}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    need_root("mount file systems")
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["mode=777", *options]), "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def flagged(tmp_path: Path) -> Iterator[Path]:
    """A target in which flags may be set."""
    need_root("set flags")
    target = tmp_path / "target"
    target.mkdir()
    (target / "probe").write_bytes(b"")
    try:
        set_flags(target / "probe", "i")
        yield target
    except OSError as error:
        need(False, f"no file flags in temporary files: {error}")
    finally:
        clear_flags(target)


# ---- flags


def test_an_immutable_file_stays_and_is_named(flagged: Path) -> None:
    for name in ("a", "way", "pipe"):
        (flagged / name).write_bytes(b"mine")
        set_flags(flagged / name, "i")
    made = make_entries(flagged, entry("symlink", "way", link="x"), entry("fifo", "pipe"))
    result = restore(flagged, store(FILES), whole_files(FILES))
    assert of(result) == {"a": "Operation not permitted"}
    assert of(made) == {"way": "Operation not permitted", "pipe": "Operation not permitted"}
    assert made.unsupported == {}
    assert {name: (flagged / name).read_bytes() for name in ("a", "way", "pipe")} == dict.fromkeys(
        ("a", "way", "pipe"), b"mine"
    )
    assert list(flagged.rglob(".segfleet*")) == []


def test_what_goes_into_an_immutable_folder_is_named_and_is_not_taken_for_a_lack_of_the_file_system(
    flagged: Path,
) -> None:
    (flagged / "folder").mkdir()
    set_flags(flagged / "folder", "i")
    result = make_entries(
        flagged,
        entry("symlink", "folder/way", link="x"),
        entry("fifo", "folder/pipe"),
        entry("file", "folder/empty"),
        entry("directory", "folder", finish=True),
    )
    assert of(result) == {
        "folder/way": "Operation not permitted",
        "folder/pipe": "Operation not permitted",
        "folder/empty": "Operation not permitted",
        "folder": "cannot set its mode: it is immutable or append-only",
    }
    assert result.unsupported == result.not_kept == {}


def test_an_append_only_folder_takes_new_entries(flagged: Path) -> None:
    (flagged / "folder").mkdir()
    set_flags(flagged / "folder", "a")
    result = make_entries(flagged, entry("file", "folder/empty"), entry("symlink", "folder/way", link="x"))
    assert (of(result), result.files_count) == ({}, 2)


def test_what_is_immutable_and_the_same_already_is_no_trouble(flagged: Path) -> None:
    folder = entry("directory", "folder", finish=True, attributes={"user.mine": "eA=="})
    make_entries(flagged, folder)
    set_flags(flagged / "folder", "i")
    again = make_entries(flagged, folder)
    assert (again.troubles, again.unsupported, again.not_kept) == ((), {}, {})


# ---- rights


def test_in_a_sticky_folder_a_user_replaces_only_own_files(tmp_path: Path) -> None:
    need_root("have files of two users")
    target = tmp_path / "target"
    (target / "shared").mkdir(parents=True)
    for name, owner in (("theirs", 0), ("mine", NOBODY)):
        (target / "shared" / name).write_bytes(b"older")
        os.chown(target / "shared" / name, owner, owner)
    (target / "shared").chmod(0o1777)

    def restore_both(target: Path) -> None:
        result = make_entries(target, entry("file", "shared/theirs"), entry("file", "shared/mine"))
        assert of(result) == {"shared/theirs": "Operation not permitted"}

    as_nobody(target, restore_both)
    assert (target / "shared/theirs").read_bytes() == b"older"
    assert (target / "shared/mine").read_bytes() == b""
    assert sorted(os.listdir(target / "shared")) == ["mine", "theirs"]


def test_in_a_folder_of_another_group_with_the_set_group_id_bit_a_user_gets_the_own_group(tmp_path: Path) -> None:
    need_root("make a folder of another group")
    target = tmp_path / "target"
    (target / "shared").mkdir(parents=True)
    os.chown(target / "shared", NOBODY, 4321)
    (target / "shared").chmod(0o2777)
    mine = {"uid": NOBODY, "gid": NOBODY}

    def restore_it(target: Path) -> None:
        kinds = (entry("file", "shared/file", **mine), entry("symlink", "shared/way", link="x", **mine))
        result = make_entries(target, *kinds, entry("directory", "shared/folder", finish=True, **mine))
        assert (result.troubles, result.not_kept) == ((), {})

    as_nobody(target, restore_it)
    assert {path.lstat().st_gid for path in (target / "shared").iterdir()} == {NOBODY}
    assert mode_of(target / "shared/folder") == 0o750


def test_in_a_folder_of_somebody_else_metadata_is_counted_as_what_a_user_may_not_set(tmp_path: Path) -> None:
    need_root("have folders of two users")
    target = tmp_path / "target"
    (target / "theirs").mkdir(parents=True)
    (target / "theirs").chmod(0o777)

    def restore_it(target: Path) -> None:
        folder = entry("directory", "theirs", finish=True, uid=NOBODY, gid=NOBODY)
        result = make_entries(target, entry("file", "theirs/file", uid=NOBODY, gid=NOBODY), folder)
        assert (of(result), result.unsupported) == ({}, {})
        assert result.not_kept == {"owner": 1, "mode": 1, "time": 1}

    as_nobody(target, restore_it)


@pytest.mark.parametrize("umask", [0o777, 0o077, 0])
def test_the_umask_changes_nothing(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        target = tmp_path / "target"
        target.mkdir(mode=0o700)
        target.chmod(0o700)
        kinds = (entry("file", "file"), entry("fifo", "pipe"), entry("symlink", "way", link="x"))
        result = make_entries(target, *kinds, entry("directory", "folder", finish=True))
        restore(target, store(FILES), whole_files(FILES, metadata=(0o640, os.getuid(), os.getgid(), MTIME_NS)))
    finally:
        os.umask(before)
    assert result.troubles == ()
    assert {mode_of(target / name) for name in ("file", "pipe", "folder")} == {0o750}
    assert {mode_of(target / name) for name in FILES} == {0o640}


# ---- mounts, and what is in use


def test_a_mount_that_runs_no_programs_and_opens_no_devices_keeps_their_modes(tmp_path: Path) -> None:
    with mounted(tmp_path / "target", "noexec", "nosuid", "nodev") as target:
        result = make_entries(
            target, entry("file", "program", mode=0o6755), entry("character", "null", device_number=os.makedev(1, 3))
        )
        assert (result.troubles, result.unsupported) == ((), {})
        assert mode_of(target / "program") == 0o6755
        assert (target / "null").lstat().st_rdev == os.makedev(1, 3)


def test_a_hard_link_into_what_is_mounted_in_the_target_becomes_a_copy(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with mounted(target / "mounted") as below:
        restore(target, store(FILES), whole_files(FILES, metadata=(0o040, 12, 34, MTIME_NS)))
        # An order may come twice.
        for _ in range(2):
            result = make_entries(target, entry("hardlink", "mounted/a", link="a", size_bytes=5))
        assert (result.troubles, result.unsupported, result.files_count) == ((), {"hard-link": 1}, 1)
        found = (below / "a").stat()
        assert (below / "a").read_bytes() == FILES["a"]
        assert (mode_of(below / "a"), found.st_uid, found.st_gid, found.st_mtime_ns) == (0o040, 12, 34, MTIME_NS)


def test_a_user_copies_files_that_he_may_not_read(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with mounted(target / "mounted"):

        def restore_it(target: Path) -> None:
            restore(target, store(FILES), whole_files(FILES, metadata=(0o000, NOBODY, NOBODY, MTIME_NS)))
            result = make_entries(target, entry("hardlink", "mounted/a", link="a", size_bytes=5))
            assert (result.troubles, result.unsupported) == ((), {"hard-link": 1})
            assert mode_of(target / "a") == mode_of(target / "mounted/a") == 0

        as_nobody(target, restore_it)
        assert (target / "mounted/a").read_bytes() == FILES["a"]


def test_a_mount_point_in_the_place_of_a_file_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with mounted(target / "a"):
        result = restore(target, store(FILES), whole_files(FILES))
    assert of(result) == {"a": "a folder is in its place"}


def test_a_program_that_runs_is_replaced_and_runs_on(tmp_path: Path) -> None:
    shutil.copy(program("sleep"), tmp_path / "a")
    running = subprocess.Popen([tmp_path / "a", "60"])
    try:
        assert of(restore(tmp_path, store(FILES), whole_files(FILES))) == {}
        assert content(tmp_path) == FILES
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()
