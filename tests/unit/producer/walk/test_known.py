"""Marks of directories: where one is what it was, nobody looks closer; whatever changes in a directory changes it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from kit.tree import Symlink, Tree
from producer.observer import Trouble
from producer.requests import Exclusions
from producer.walk import tree as tree_module
from producer.walk.choosing.exclusions import ExclusionRules
from producer.walk.columns import columns_of
from producer.walk.found import BATCH_ENTRIES_COUNT, Found, Rest
from producer.walk.known import KnownDirectories, KnownDirectory, read_known, write_known
from producer.walk.tree import SourceTree

FOLDER = "folder"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Tree({"folder/a": b"1", "folder/b": b"22", "folder/deep/c": b"3", "folder/link": Symlink("a")}).make(
        tmp_path / "data"
    )


def tree(
    root: Path,
    known: Mapping[bytes, bytes] | None = None,
    exclusions: Exclusions = Exclusions(),  # noqa: B008  it is frozen
    *,
    one_file_system: bool = False,
) -> SourceTree:
    def fail(trouble: Trouble) -> None:
        pytest.fail(f"{trouble}")

    rules = ExclusionRules(exclusions)
    return SourceTree(str(root), rules, one_file_system=one_file_system, on_trouble=fail, known=known)


def found(tree: SourceTree, directory: str = FOLDER) -> Found:
    (one,) = (each for each in tree.scan() if each.directory == directory)
    return one


def marks(root: Path) -> dict[bytes, bytes]:
    return {os.fsencode(each.directory): each.mark for each in tree(root).scan()}


def test_what_is_known_is_given_out_without_a_closer_look_and_what_is_below_it_is_entered(root: Path) -> None:
    scanned = list(tree(root, marks(root)).scan())

    assert [each.directory for each in scanned] == ["", FOLDER, "folder/deep"]
    assert all(each.is_known for each in scanned)
    assert [each.links for each in scanned] == [{}, {}, {}]


def test_what_is_not_known_is_looked_at(root: Path) -> None:
    known = marks(root) | {os.fsencode(FOLDER): b"another"}

    scanned = list(tree(root, known).scan())

    assert [each.is_known for each in scanned] == [True, False, True]
    assert scanned[1].links == {"link": "a"}


def exchange(folder: Path) -> None:
    (folder / "a").rename(folder / "x")
    (folder / "b").rename(folder / "a")


def lead_elsewhere(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("b")


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda folder: (folder / "a").write_bytes(b"2"),
    "touched": lambda folder: os.utime(folder / "a", (1, 1)),
    "mode": lambda folder: os.chmod(folder / "a", 0o600),
    "attribute": lambda folder: os.setxattr(folder / "a", "user.colour", b"red"),
    "attribute of a folder": lambda folder: os.setxattr(folder / "deep", "user.colour", b"red"),
    "renamed": lambda folder: (folder / "a").rename(folder / "d"),
    "exchanged": exchange,
    "new": lambda folder: (folder / "d").write_bytes(b""),
    "deleted": lambda folder: os.unlink(folder / "a"),
    "another link": lead_elsewhere,
    "a second name": lambda folder: os.link(folder / "a", folder.parent / "elsewhere"),
    "a folder's content": lambda folder: (folder / "deep" / "d").write_bytes(b""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_change_in_a_directory_changes_its_mark(root: Path, change: Callable[[Path], object]) -> None:
    known = marks(root)
    change(root / FOLDER)

    assert not found(tree(root, known)).is_known


def test_reading_changes_no_mark(root: Path) -> None:
    os.utime(root / FOLDER / "a", (1, 10**9))
    known = marks(root)
    (root / FOLDER / "a").read_bytes()

    assert found(tree(root, known)).is_known


def test_a_scan_with_attributes_does_not_know_what_one_without_saw(root: Path) -> None:
    known = {os.fsencode(each.directory): each.mark for each in tree(root, None, Exclusions(attributes=True)).scan()}

    assert not found(tree(root, known)).is_known
    assert found(tree(root, known, Exclusions(attributes=True))).is_known


def test_a_directory_has_no_mark_where_what_is_found_depends_on_more_than_itself(root: Path) -> None:
    assert found(tree(root)).mark
    assert not found(tree(root, None, Exclusions(larger_than_bytes=10**6))).mark
    assert not found(tree(root, one_file_system=True)).mark


def test_a_directory_with_a_file_of_several_names_has_none_either(root: Path) -> None:
    (root / "elsewhere").hardlink_to(root / FOLDER / "a")

    assert columns_of(found(tree(root))).mark == b""


def test_a_directory_of_which_something_cannot_be_read_is_told_of_each_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(path: str) -> dict[str, bytes]:
        raise OSError(errno.EFBIG, "too large")

    monkeypatch.setattr(tree_module, "attributes_of", too_large)
    told: list[Trouble] = []
    scanned = SourceTree(str(root), ExclusionRules(Exclusions()), one_file_system=False, on_trouble=told.append)

    assert [each.mark for each in scanned.scan()] == [b"", b"", b""]
    assert {trouble.code for trouble in told} == {"attributes"}


def test_a_directory_with_more_entries_than_a_batch_has_none(tmp_path: Path) -> None:
    for number in range(BATCH_ENTRIES_COUNT + 1):
        (tmp_path / str(number)).touch()

    assert [each.mark for each in tree(tmp_path).scan()] == [b"", b""]


def test_a_scan_that_is_silent_while_it_compares_goes_on_with_a_closer_look_at_all_of_the_directory(root: Path) -> None:
    known = marks(root)
    stopped = tree(root, known)
    next(stopped.scan())
    stopped.waits_for, stopped.is_comparing = (FOLDER, "b"), True

    given, rest = stopped.rest()

    assert given is None
    assert rest == Rest([FOLDER], compares=False)
    assert [(each.directory, each.is_known) for each in tree(root, known).scan(rest)] == [
        (FOLDER, False),
        ("folder/deep", False),
    ]


def test_what_was_written_is_read_and_anything_else_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "known"
    known = KnownDirectories(snapshot_id="1" * 32, directories={"data": {b"\xff/x": KnownDirectory(b"m" * 16, 3, 4)}})
    assert read_known(path) is None

    write_known(path, known)
    assert read_known(path) == known

    data = path.read_bytes()
    for damaged in (b"", data[:-1], data[:-1] + bytes([data[-1] ^ 1]), bytes(100)):
        path.write_bytes(damaged)
        assert read_known(path) is None
