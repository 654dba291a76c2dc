"""``--files-from``: a walk over what a list names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from producer.listing import decode_part
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.run.kept_out import is_kept_out
from producer.walk import Walk
from producer.walk.choosing.chosen import Chosen

TREE = {"a/b/f.o": "1", "a/b/g": "22", "a/x": "333", "c/y.o": "", "c/.nobackup": "", "z": ""}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, content in TREE.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    (tmp_path / "link").symlink_to("a")
    return tmp_path


def walked(root: Path, *only: str, **exclusions: Any) -> tuple[list[str], list[tuple[str, str]]]:
    troubles: list[Trouble] = []
    source = Source(name="src", path=root, only=only)
    walk = Walk(
        [source], Exclusions(**exclusions), on_trouble=troubles.append, on_progress=lambda files_count, size_bytes: None
    )
    paths = [entry.path for part in walk.parts() for batch in decode_part(part.data) for entry in batch]
    return paths, [(trouble.code, trouble.path.removeprefix(f"{root}/")) for trouble in troubles]


@pytest.mark.parametrize(
    ("only", "paths"),
    [
        (("a/b/f.o",), ["", "a", "a/b", "a/b/f.o"]),
        (("a/b", "a/b/g", "z"), ["", "a", "z", "a/b", "a/b/f.o", "a/b/g"]),
        (("link",), ["", "link"]),
        (("a", "a/b/g"), ["", "a", "a/b", "a/x", "a/b/f.o", "a/b/g"]),
        ((), [""]),
    ],
)
def test_named_paths_come_with_the_folders_on_the_way_and_what_they_contain(
    root: Path, only: tuple[str, ...], paths: list[str]
) -> None:
    assert walked(root, *only) == (paths, [])


def test_a_list_that_names_the_source_itself_names_all_of_it(root: Path) -> None:
    assert walked(root, "") == walked(root, "a", "c", "link", "z")


def test_what_is_named_is_never_excluded_and_what_it_contains_may_be(root: Path) -> None:
    rules = {"patterns": ("*.o", "c", "/a/"), "larger_than_bytes": 2, "if_present": (".nobackup",)}
    assert walked(root, "a", "a/b/f.o", "a/x", "c", **rules)[0] == [
        *("", "a", "c", "a/b", "a/x", "a/b/f.o", "a/b/g", "c/.nobackup"),
    ]


def test_of_an_excluded_folder_on_the_way_only_what_is_named_is_kept(root: Path) -> None:
    assert walked(root, "a", "a/b/g", patterns=("b",))[0] == ["", "a", "a/b", "a/x", "a/b/g"]


def test_what_is_missing_is_recorded_and_the_backup_continues(root: Path) -> None:
    paths, troubles = walked(root, "a/gone", "gone/too", "a/x", "z/below", "link/b")
    assert paths == ["", "a", "a/x"]
    assert sorted(troubles) == [
        ("unreadable", "link"),
        ("unreadable", "z"),
        ("vanished", "a/gone"),
        ("vanished", "gone"),
    ]


@pytest.mark.parametrize(
    ("folder", "patterns", "is_out"),
    [
        ("a/b", (), False),
        ("a", (), False),
        ("c", (), True),
        ("a/b/deep", (), False),
        ("a/b/deep", ("deep/",), True),
        ("a/b/deep", ("/a/",), False),
    ],
)
def test_a_device_may_lie_where_the_list_does_not_lead(
    root: Path, folder: str, patterns: tuple[str, ...], is_out: bool
) -> None:
    source = Source(name="src", path=root, only=("a/b",))
    assert is_kept_out(source, root / folder, Exclusions(patterns=patterns)) is is_out


def test_without_a_list_all_is_wanted() -> None:
    chosen = Chosen(None)
    assert (chosen.has_all_of("a/b"), list(chosen.names_in("")), chosen.outermost("a/b")) == (True, [], "")
