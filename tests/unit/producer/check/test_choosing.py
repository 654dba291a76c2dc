"""Which objects a check looks at: those that nobody has looked at lately, and what was found damaged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.models.objects import number_of, stored_object
from producer.catalog.tables.objects import StoredObject
from producer.check.choosing import due, on_disk_order, subset
from producer.requests import CheckRequest

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def seen(number: int, *, read: int | None = None, looked: int | None = None, **fields: Any) -> StoredObject:
    """Read, and looked at, so many days ago."""
    days = {"read_at": read, "looked_at": looked}
    times = {name: NOW - timedelta(days=ago) for name, ago in days.items() if ago is not None}
    return stored_object(number, **times, **fields)


def request(**fields: Any) -> CheckRequest:
    return CheckRequest(snapshot=None, devices={"a": Path("/a")}, **fields)


def numbers(rows: list[StoredObject]) -> list[int]:
    return [number_of(row) for row in rows]


def test_what_was_read_since_is_not_read_again() -> None:
    rows = [seen(1), seen(2, read=40), seen(3, read=2), seen(4, looked=2)]

    assert numbers(due(rows, NOW - timedelta(days=30), read_data=True)) == [1, 2, 4]
    assert numbers(due(rows, NOW - timedelta(days=30), read_data=False)) == [1, 2, 3]
    assert due(rows, None, read_data=True) == rows


def test_what_was_damaged_is_looked_at_however_lately_that_was_seen() -> None:
    rows = [seen(1, read=1, is_damaged=True), seen(2, read=1)]

    assert numbers(due(rows, NOW - timedelta(days=30), read_data=True)) == [1]


@pytest.mark.parametrize(("share", "expected"), [(0.01, [3]), (0.5, [3, 2])])
def test_a_share_begins_with_what_was_read_longest_ago(share: float, expected: list[int]) -> None:
    rows = [seen(0, read=1), seen(1, read=2), seen(2, read=30), seen(3)]

    assert numbers(subset(rows, request(share=share))) == expected


def test_a_size_is_reached_with_whole_objects() -> None:
    rows = [seen(number, read=number, bytes_stored=50) for number in range(5)]

    assert numbers(subset(rows, request(size_bytes=51))) == [4, 3]
    assert numbers(subset(rows, request(size_bytes=1))) == [4]
    assert len(subset(rows, request(size_bytes=10_000))) == 5


def test_the_parts_of_all_parts_are_everything_once() -> None:
    rows = [seen(number) for number in range(10)]

    parts = [subset(rows, request(subset=(part, 3))) for part in (1, 2, 3)]

    assert sorted(number for part in parts for number in numbers(part)) == list(range(10))


def test_objects_are_read_in_the_order_in_which_they_lie_on_the_disk() -> None:
    rows = [seen(number) for number in range(3)]
    positions = {rows[0].object_id: 300, rows[1].object_id: 7}

    assert numbers(on_disk_order(rows, positions)) == [2, 1, 0]
