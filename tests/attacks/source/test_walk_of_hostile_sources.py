"""Sources whose owner changes them under the walk, or fills them with what no backup can hold."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.needs import need
from producer.listing import decode_part
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk import Walk
from tasks.values import MAX_PATH_CHARACTERS


def walked(
    root: Path, troubles: list[Trouble], on_progress: Callable[[int, int], None] = lambda files, size: None
) -> list[str]:
    walk = Walk([Source(name="s", path=root)], Exclusions(), on_trouble=troubles.append, on_progress=on_progress)
    return [entry.path for part in walk.parts() for batch in decode_part(part.data) for entry in batch]


def secret_of(folder: Path) -> Path:
    (folder / "secret/b").mkdir(parents=True)
    (folder / "secret/b/key").write_bytes(b"key")
    return folder / "secret"


def test_a_directory_far_above_that_becomes_a_symlink_leads_the_walk_nowhere(tmp_path: Path) -> None:
    secret, root = secret_of(tmp_path), tmp_path / "src"
    for path in ("first/file", "mine/b/c/file", "mine/b/file"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"1")

    def swap(files_count: int, _: int) -> None:
        if not (root / "mine").is_symlink() and (root / "mine").exists() and files_count:
            (root / "mine").rename(tmp_path / "moved")
            (root / "mine").symlink_to(secret)

    troubles: list[Trouble] = []
    paths = walked(root, troubles, swap)
    assert not any("key" in path for path in paths)
    assert [trouble.path for trouble in troubles] == [f"{root}/mine"]


def test_a_symlink_swapped_in_at_every_level_shows_no_name_of_where_it_leads(tmp_path: Path) -> None:
    secret, root = secret_of(tmp_path), tmp_path / "src"
    levels = ["a", "a/b", "a/b/c", "a/b/c/d"]
    for level in levels:
        for path in ("a/b/c/d/file", "a/b/c/file", "a/b/file"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(b"1")
        seen = 0

        def swap(_: int, __: int, level: str = level) -> None:
            nonlocal seen
            seen += 1
            if seen == levels.index(level) + 1:
                (root / level).rename(tmp_path / "moved")
                (root / level).symlink_to(secret)

        assert not any("key" in path for path in walked(root, [], swap))
        subprocess.run(["rm", "-rf", root, tmp_path / "moved"], check=True)


def test_a_file_of_8_eib_is_a_trouble_and_the_rest_is_listed(tmp_path: Path) -> None:
    root = Path("/dev/shm") / f"segfleet-{os.getpid()}-sparse"
    root.mkdir()
    try:
        (root / "good").write_bytes(b"1")
        with (root / "huge").open("wb") as file:
            try:
                os.ftruncate(file.fileno(), 2**63 - 1)
            except OSError as error:
                need(False, f"{root} takes no file of 8 EiB: {error}")
        troubles: list[Trouble] = []
        assert walked(root, troubles) == ["", "good"]
        assert [(trouble.code, trouble.path) for trouble in troubles] == [("too-large", f"{root}/huge")]
    finally:
        subprocess.run(["rm", "-rf", root], check=True)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "deep"
    root.mkdir()
    yield root
    subprocess.run(["rm", "-rf", str(root)], check=True)


def file_at(root: Path, path: str) -> None:
    """Make a file, and the folders above it, however long its path is."""
    *folders, name = path.split("/")
    above = os.open(root, os.O_RDONLY)
    for folder in folders:
        os.mkdir(folder, dir_fd=above)
        below = os.open(folder, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=above))
    os.close(above)


@pytest.mark.parametrize(("excess", "is_listed"), [(0, True), (1, False)])
def test_the_name_of_the_source_counts_in_the_bound_of_paths(deep: Path, excess: int, is_listed: bool) -> None:
    above = "/".join(["d" * 200] * 20)
    room = MAX_PATH_CHARACTERS - len("s/") - len(above) - 1
    file_at(deep, f"{above}/{'f' * (room + excess)}")
    troubles: list[Trouble] = []
    paths = walked(deep, troubles)
    assert (f"{above}/{'f' * (room + excess)}" in paths) is is_listed
    assert [trouble.code for trouble in troubles] == ["path-too-long"] * (not is_listed)
