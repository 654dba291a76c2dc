import os
from pathlib import Path

import pytest

from tasks.errors import TargetError
from workers.target.folders import Folders
from workers.target.troubles import TargetTrouble


def open_count() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_missing_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    with Folders(tmp_path) as folders:
        folder, name = folders.parent_of("a/b/c")
        assert os.fstat(folder).st_ino == (tmp_path / "a/b").stat().st_ino
        assert name == "c"
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o1700


def test_nothing_is_made_when_only_looking(tmp_path: Path) -> None:
    with Folders(tmp_path) as folders, pytest.raises(FileNotFoundError):
        folders.parent_of("a/b", make=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_symlink_among_the_parents_is_refused_at_every_depth(tmp_path: Path, depth: int) -> None:
    outside, target = tmp_path / "outside", tmp_path / "target"
    (outside / "c/d").mkdir(parents=True)
    parts = ["a", "b", "c"]
    planted = target.joinpath(*parts[:depth])
    planted.parent.mkdir(parents=True)
    planted.symlink_to(outside)
    with Folders(target) as folders, pytest.raises(TargetTrouble) as trouble:
        folders.parent_of("a/b/c/d")
    assert trouble.value.code == "unsafe-target"


def test_a_file_among_the_parents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with Folders(tmp_path) as folders, pytest.raises(TargetTrouble):
        folders.parent_of("a/b")


@pytest.mark.parametrize("path", ["", "/etc/passwd", "..", "../x", "a/../x", "a/..", "a//b", "./a", "a/", "a\0b"])
def test_a_path_that_leaves_the_target_is_refused(tmp_path: Path, path: str) -> None:
    with Folders(tmp_path) as folders, pytest.raises(TargetTrouble) as trouble:
        folders.parent_of(path)
    assert trouble.value.code == "unsafe-target"


def test_a_thousand_folders_need_few_descriptors_and_all_are_closed(tmp_path: Path) -> None:
    before = open_count()
    with Folders(tmp_path) as folders:
        for number in range(300):
            folder, _ = folders.parent_of(f"d{number}/e/file")
            assert os.fstat(folder).st_ino == (tmp_path / f"d{number}/e").stat().st_ino
        assert open_count() - before < 80
        assert os.fstat(folders.parent_of("top")[0]).st_ino == tmp_path.stat().st_ino
    assert open_count() == before


def test_a_path_deeper_than_the_cache_works(tmp_path: Path) -> None:
    path = "/".join(["d"] * 400)
    with Folders(tmp_path) as folders:
        folders.parent_of(path)
        folders.parent_of(f"{path}/e")
        assert folders.parent_of(path)[1] == "d"


def test_a_failed_descent_leaks_nothing(tmp_path: Path) -> None:
    before = open_count()
    with Folders(tmp_path) as folders:
        (tmp_path / "a/b").mkdir(parents=True)
        (tmp_path / "a/b/c").symlink_to("/tmp")
        for _ in range(3):
            with pytest.raises(TargetTrouble):
                folders.parent_of("a/b/c/d/e")
    assert open_count() == before


def test_a_target_that_is_missing_or_a_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for root in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(TargetError, match=root.name):
            Folders(root)


def test_the_target_itself_may_be_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with Folders(tmp_path / "link") as folders:
        folders.parent_of("a/b")
    assert (tmp_path / "real/a").is_dir()
