"""Scans that begin before their walk: taken where they are what the walk would do now, ended everywhere else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from kit.deadlines import eventually
from kit.tree import Symlink, Tree
from producer.listing import EntryBatch
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk import EarlyScan, Walk

LIMIT_S = 60.0
NOTHING = Exclusions()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    tree = Tree({"a": b"1", "folder/b": b"22", "folder/deep/c": b"333", "other": Symlink("a")})
    return Source(name="data", path=tree.make(tmp_path / "data"))


def walked(
    source: Source, early: EarlyScan | None, exclusions: Exclusions = NOTHING, left_out: Collection[Path] = ()
) -> list[EntryBatch]:
    def fail(trouble: Trouble) -> None:
        pytest.fail(f"{trouble}")

    walk = Walk(
        [source],
        exclusions,
        on_trouble=fail,
        on_progress=lambda files, size_bytes: None,
        limit_s=LIMIT_S,
        left_out=left_out,
        early=early,
    )
    return list(walk.batches())


@contextmanager
def scanned_early(source: Source) -> Iterator[tuple[EarlyScan, psutil.Process]]:
    """And its process, which has ended afterwards."""
    before = set(psutil.Process().children())
    early = EarlyScan(source, NOTHING, limit_s=LIMIT_S)
    (scout,) = set(psutil.Process().children()) - before
    try:
        yield early, scout
        assert not scout.is_running()
    finally:
        early.end()


def test_a_walk_takes_what_was_scanned_before_it(source: Source) -> None:
    with scanned_early(source) as (early, scout):
        eventually(lambda: scout.status() == psutil.STATUS_ZOMBIE, "the scan is done")
        (source.path / "too-late").touch()

        names = [batch.names for batch in walked(source, early)]

    assert names == [[""], ["a", "folder", "other"], ["b", "deep"], ["c"]]


def test_what_it_found_is_what_the_walk_would_have_found(source: Source) -> None:
    with scanned_early(source) as (early, _):
        assert walked(source, early) == walked(source, None)


@pytest.mark.parametrize("differs", ["exclusions", "left out", "list", "age"])
def test_a_scan_that_is_not_what_the_walk_would_do_is_ended(source: Source, differs: str) -> None:
    exclusions, left_out, walks = NOTHING, set[Path](), source
    with scanned_early(source) as (early, _):
        match differs:
            case "exclusions":
                exclusions = Exclusions(patterns=("b",))
            case "left out":
                left_out = {source.path / "folder/b"}
            case "list":
                walks = replace(source, only=("a", "folder/deep"))
            case "age":
                early._began_s -= 3600.0
                Tree({"new": b""}).make(source.path)

        found = walked(walks, early, exclusions, left_out)

        assert found == walked(walks, None, exclusions, left_out)


def test_one_that_no_walk_takes_is_ended_with_the_walk(source: Source, tmp_path: Path) -> None:
    file = Source(name="file", path=tmp_path / "file")
    file.path.touch()
    with scanned_early(source) as (early, _):
        walked(file, early)
