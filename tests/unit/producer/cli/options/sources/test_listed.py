"""``--files-from``: reading lists, and finding the sources of their paths."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from producer.cli.options.sources.listed import paths_of, with_listed
from producer.requests import Source
from tasks.errors import UsageError


@pytest.mark.parametrize(
    ("data", "by_nul", "paths"),
    [
        (b"a\n b \n#c\n\n*\r\nlast", False, [(1, "a"), (2, " b "), (3, "#c"), (5, "*"), (6, "last")]),
        (b"a\nb\0\0c\r\0", True, [(1, "a\nb"), (3, "c\r")]),
        (b"\xff\n", False, [(1, "\udcff")]),
        (b"", False, []),
    ],
)
def test_each_line_is_a_path_as_it_is(data: bytes, by_nul: bool, paths: list[tuple[int, str]]) -> None:
    assert paths_of(data, by_nul=by_nul) == paths


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "src/in").mkdir(parents=True)
    (tmp_path / "way").symlink_to("src/in")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(here: Path, text: str, *sources: str, by_nul: bool = False) -> dict[str, tuple[str, ...] | None]:
    (here / "list").write_text(text)
    named = [Source(name=path or "here", path=here / path) for path in sources]
    return {source.name: source.only for source in with_listed(named, ["list"], by_nul=by_nul)}


def test_paths_are_relative_to_the_working_folder_and_links_on_the_way_are_followed(here: Path) -> None:
    text = f"src/b\nway/x\n{here}/src/in/./y/../z\nsrc/b\nmissing/../src/gone\nway/\n"
    assert listed(here, text, "src") == {"src": ("b", "gone", "in", "in/x", "in/z")}
    assert listed(here, "way\n", "") == {"here": ("way",)}


def test_the_innermost_source_has_the_path(here: Path) -> None:
    assert listed(here, "src/in/x\nsrc/y\nsrc\n", "src", "src/in") == {"src": ("", "y"), "src/in": ("x",)}


def test_without_a_source_the_list_may_name_any_path(here: Path) -> None:
    assert listed(here, "src/a", "/") == {"/": (f"{here}/src/a"[1:],)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("src/a\nelsewhere\n", "list, line 2: .*/elsewhere is in no SOURCE"),
        ("\n\n", "names no path"),
        ("a\0b\n", "line 1 contains a NUL byte"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(here: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        listed(here, text, "src")


def test_a_list_that_cannot_be_read_is_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        with_listed([Source(name="src", path=here / "src")], [os.fspath(here / "none")], by_nul=False)
