"""The order of an archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.tree import Tree
from producer.listing import ListingReader, decode_part
from producer.requests import Exclusions, Source
from producer.restore.archive.depth_first import depth_first
from producer.walk import Walk


def reader_of(*roots: Path) -> ListingReader:
    walk = Walk(
        [Source(name=root.name, path=root) for root in roots],
        Exclusions(),
        on_trouble=lambda trouble: pytest.fail(trouble.message),
        on_progress=lambda files, size: None,
    )
    parts = list(walk.parts())
    return ListingReader([part.first_entry for part in parts], lambda number: decode_part(parts[number].data))


@pytest.fixture
def reader(tmp_path: Path) -> ListingReader:
    deep = Tree({"a/b/c": b"1", "a/d": b"2", "empty/e/f": b"3", "last": b"4", "none/x": b"5", "z/y": b"6"})
    root = deep.make(tmp_path / "data")
    (root / "empty/e/f").unlink()
    (root / "none/x").unlink()
    (tmp_path / "single").write_bytes(b"7")
    return reader_of(root, tmp_path / "single", Tree({"q/r": b"8"}).make(tmp_path / "more"))


def order(reader: ListingReader, below: str = "") -> list[str]:
    def is_wanted(path: str) -> bool:
        return not below or path == below or path.startswith(f"{below}/")

    return [entry.snapshot_path for entry in depth_first(reader, reader.batches(0, 10**6), is_wanted)]


def test_each_directory_comes_right_before_what_is_in_it(reader: ListingReader) -> None:
    assert order(reader) == [
        "data",
        "data/last",
        "data/a",
        "data/a/d",
        "data/a/b",
        "data/a/b/c",
        "data/empty",
        "data/empty/e",
        "data/none",
        "data/z",
        "data/z/y",
        "single",
        "more",
        "more/q",
        "more/q/r",
    ]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("data/a", ["data/a", "data/a/d", "data/a/b", "data/a/b/c"]),
        ("data/empty", ["data/empty", "data/empty/e"]),
        ("data/last", ["data/last"]),
        ("more", ["more", "more/q", "more/q/r"]),
    ],
)
def test_of_a_folder_only_what_is_below_it_comes(reader: ListingReader, below: str, expected: list[str]) -> None:
    assert order(reader, below) == expected
