"""``--ignore-file``: gitignore files in the source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from producer.listing import decode_part
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk import Walk
from producer.walk.choosing.exclusions import ExclusionRules
from producer.walk.choosing.ignore_files import MAX_BYTES
from producer.walk.found import Rest
from producer.walk.tree import SourceTree
from tasks.errors import UsageError


def make(root: Path, files: dict[str, str]) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return root


def walked(root: Path, *names: str, only: tuple[str, ...] | None = None) -> tuple[list[str], list[Trouble]]:
    """The files that are listed, and the troubles."""
    troubles: list[Trouble] = []
    walk = Walk(
        [Source(name="src", path=root, only=only)],
        Exclusions(ignore_files=names),
        on_trouble=troubles.append,
        on_progress=lambda files, size: None,
    )
    entries = [entry for part in walk.parts() for batch in decode_part(part.data) for entry in batch]
    return [entry.path for entry in entries if entry.kind == "file"], troubles


def test_a_file_holds_for_what_is_below_it_and_is_kept_itself(tmp_path: Path) -> None:
    root = make(
        tmp_path, {"a/.ign": ".*\n*.o\n/top\n", "a/x.o": "", "a/top": "", "a/b/y.o": "", "a/b/top": "", "z.o": ""}
    )
    assert walked(root, ".ign") == (["z.o", "a/.ign", "a/b/top"], [])


def test_the_deeper_file_has_the_last_word(tmp_path: Path) -> None:
    files = {
        ".ign": "*.o\n",
        "a/.ign": "!*.o\n",
        "a/b/.ign": "y.o\n",
        "x.o": "",
        "a/x.o": "",
        "a/b/x.o": "",
        "a/b/y.o": "",
    }
    assert walked(make(tmp_path, files), ".ign")[0] == [".ign", "a/.ign", "a/x.o", "a/b/.ign", "a/b/x.o"]


def test_nothing_comes_back_from_a_folder_that_is_left_out(tmp_path: Path) -> None:
    assert walked(make(tmp_path, {".ign": "a/\n!a/x\n", "a/x": "", "a/.ign": "!x\n"}), ".ign")[0] == [".ign"]


def test_of_several_names_the_later_one_has_the_last_word(tmp_path: Path) -> None:
    root = make(tmp_path, {".one": "*.o\n", ".two": "!x.o\n", "x.o": "", "y.o": ""})
    assert walked(root, ".one", ".two")[0] == [".one", ".two", "x.o"]
    assert walked(root, ".two", ".one")[0] == [".one", ".two"]


def test_files_on_the_way_to_a_named_folder_hold_in_it(tmp_path: Path) -> None:
    root = make(tmp_path, {".ign": "*.o\n", "a/x.o": "", "a/x": "", "b": ""})
    assert walked(root, ".ign", only=("a",))[0] == ["a/x"]


def test_what_cannot_be_read_is_recorded_and_the_backup_continues(tmp_path: Path) -> None:
    root = make(
        tmp_path, {"big/.ign": "*\n" + "#" * MAX_BYTES, "binary/.ign": "*\0", "big/x": "", "line/.ign": "!\nx\n"}
    )
    make(root, {"binary/x": "", "line/x": "", "fifo/x": "", "link/x": "", "folder/.ign/x": ""})
    os.mkfifo(root / "fifo/.ign")
    (root / "link/.ign").symlink_to("/etc/passwd")
    files, troubles = walked(root, ".ign")
    assert [path for path in files if path.endswith("x")] == ["big/x", "binary/x", "fifo/x", "folder/.ign/x", "link/x"]
    told = {Path(trouble.path).parent.name: trouble.message for trouble in troubles}
    assert set(told) == {"big", "binary", "fifo", "link", "line"}
    assert told["line"] == "line 1 is not a valid pattern, and is ignored"
    assert told["big"] == f"its patterns are ignored: it has more than {MAX_BYTES} bytes"


def test_a_scan_that_resumes_obeys_the_files_above(tmp_path: Path) -> None:
    root = make(tmp_path, {".ign": "*.o\n", "a/.ign": "*.tmp\n", "a/b/x.o": "", "a/b/x.tmp": "", "a/b/x": ""})
    rules = ExclusionRules(Exclusions(ignore_files=(".ign",)))
    tree = SourceTree(str(root), rules, one_file_system=False, on_trouble=lambda trouble: None)
    assert [found.names for found in tree.scan(Rest(["a/b"]))] == [["x"]]


def test_an_ignore_file_is_named_without_its_folder() -> None:
    with pytest.raises(UsageError, match="not a file name"):
        ExclusionRules(Exclusions(ignore_files=("a/.gitignore",)))
