"""Which entries are wanted back, and where they go in the target."""

from __future__ import annotations

import pytest

from producer.restore.planning.selection import Selection
from tasks.errors import UsageError


def target(
    wanted: str, path: str = "", *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = (), folder: bool = False
) -> str | None:
    """Where the entry ``wanted`` goes when ``path`` is restored."""
    return Selection.of(path, include, exclude).target_path(wanted, is_directory=folder)


@pytest.mark.parametrize("path", ["", "/"])
def test_without_a_path_every_entry_keeps_its_path_in_the_snapshot(path: str) -> None:
    assert target("data", path, folder=True) == "data"
    assert target("data/a/b", path) == "data/a/b"


@pytest.mark.parametrize("path", ["data/a", "data/a/", "/data/a"])
def test_what_a_folder_holds_goes_directly_into_the_target(path: str) -> None:
    assert target("data/a", path, folder=True) == ""
    assert target("data/a/b/c", path) == "b/c"


def test_a_file_goes_into_the_target_by_its_name() -> None:
    assert target("data/a/b", "data/a/b") == "b"
    assert target("disk.img", "disk.img") == "disk.img"


@pytest.mark.parametrize("other", ["data/ab", "data", "data/b/a", "x/data/a"])
def test_what_only_looks_like_the_path_is_not_wanted(other: str) -> None:
    assert target(other, "data/a") is None


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [("data/a.txt", True), ("data/deep/a.txt", True), ("data/a.bin", False), ("data/keep/a.bin", True)],
)
def test_include_patterns_are_gitignore_patterns_on_paths_in_the_snapshot(wanted: str, is_wanted: bool) -> None:
    assert (target(wanted, include=("*.txt", "/data/keep/")) is not None) is is_wanted


def test_a_pattern_for_folders_does_not_fit_a_file_of_that_name() -> None:
    assert target("data/keep", include=("keep/",), folder=True) == "data/keep"
    assert target("data/keep", include=("keep/",)) is None


def test_exclude_wins_over_include_and_later_patterns_over_earlier_ones() -> None:
    include, exclude = ("*.txt",), ("old*", "!old-but-gold.txt")
    assert target("data/a.txt", include=include, exclude=exclude) == "data/a.txt"
    assert target("data/old.txt", include=include, exclude=exclude) is None
    assert target("data/old-but-gold.txt", include=include, exclude=exclude) == "data/old-but-gold.txt"


def test_patterns_and_paths_that_are_not_utf_8_work() -> None:
    assert target("data/na\udcefve/x", "data/na\udcefve") == "x"
    assert target("data/na\udcefve", include=("na\udcefve",)) == "data/na\udcefve"


@pytest.mark.parametrize("side", ["include", "exclude"])
def test_a_pattern_that_does_not_parse_is_wrong_usage(side: str) -> None:
    with pytest.raises(UsageError, match="'!'"):
        target("data/a", **{side: ("*.txt", "!")})  # type: ignore[arg-type]


def test_a_folder_has_one_prefix_only_where_all_of_it_is_wanted() -> None:
    assert Selection.of("", (), ()).prefix_of("data/a") == "data/a/"
    assert Selection.of("data/a", (), ()).prefix_of("data/a") == ""
    assert Selection.of("data/a", (), ()).prefix_of("data/a/b") == "b/"
    assert Selection.of("data/a", (), ()).prefix_of("data") is None
    assert Selection.of("", (), ("*.o",)).prefix_of("data/a") is None
