"""Which copy of a head counts, and in which order snapshots were made."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from producer.manifest import ManifestHead, ManifestTotals, encode_head
from producer.rebuild.heads import FoundHead, choose_head, parents_first

ID, POOL = "1" * 32, "f" * 32


def head(
    snapshot_id: str = ID, *, parent_id: str = "", started: str = "2026-01-01T00:00:00Z", ended: str = ""
) -> ManifestHead:
    return ManifestHead(
        snapshot_id=snapshot_id,
        parent_id=parent_id,
        pool_id=POOL,
        volume="home",
        mode="files",
        started=started,
        ended=ended or started,
        hostname="host",
        program_version="0.1.0",
        tags=(),
        sources=(),
        split="threshold",
        order="descending",
        threshold_bytes=0,
        unit_bytes=64 * 1024,
        block_bytes=4096,
        level=3,
        devices=(),
        totals=ManifestTotals(files_count=0, bytes_source=0, bytes_stored=0, segments_count=0),
        parts=(),
    )


GOOD = encode_head(head())
OTHER = encode_head(head(ended="2026-01-02T00:00:00Z"))
POOLS = dict.fromkeys("abc", POOL)


@pytest.mark.parametrize(
    ("copies", "chosen", "bad"),
    [
        ({"a": GOOD, "b": GOOD}, ("a", "b"), {}),
        ({"a": b"{", "b": GOOD}, ("b",), {"a"}),
        ({"a": GOOD, "b": OTHER, "c": GOOD}, ("a", "c"), {"b"}),
        ({"a": GOOD, "b": OTHER}, ("b",), {"a"}),
        ({"a": encode_head(head("2" * 32)), "b": GOOD}, ("b",), {"a"}),
        ({"a": encode_head(replace(head(), pool_id="e" * 32)), "b": GOOD}, ("b",), {"a"}),
        ({"a": b"", "b": b"[]"}, None, {"a", "b"}),
        ({}, None, {}),
    ],
    ids=[
        "all agree",
        "one is torn",
        "the one that most have",
        "of two the one sealed last",
        "the head of another snapshot",
        "of another pool",
        "none is whole",
        "none was read",
    ],
)
def test_the_head_that_counts(copies: dict[str, bytes], chosen: tuple[str, ...] | None, bad: set[str]) -> None:
    found, refused = choose_head(ID, copies, POOLS)

    assert (found.devices if found else None) == chosen
    assert {one.device for one in refused} == set(bad)


def made(number: int, *, parent: int | None = None, day: int) -> FoundHead:
    parent_id = "" if parent is None else f"{parent:032x}"
    found = head(f"{number:032x}", parent_id=parent_id, started=f"2026-01-{day:02}T00:00:00Z")
    return FoundHead(head=found, digest=b"", devices=("a",))


@pytest.mark.parametrize(
    ("found", "order"),
    [
        ([made(2, day=2), made(1, day=1)], [1, 2]),
        ([made(1, day=9), made(2, parent=1, day=2), made(3, parent=2, day=3)], [1, 2, 3]),
        ([made(1, parent=2, day=1), made(2, parent=1, day=2)], [2, 1]),
        ([made(1, parent=7, day=1)], [1]),
    ],
    ids=["by their starts", "a clock was set back", "forged heads that name each other", "a parent that is gone"],
)
def test_a_parent_comes_before_its_children(found: list[FoundHead], order: list[int]) -> None:
    assert [int(one.head.snapshot_id, 16) for one in parents_first(found)] == order
