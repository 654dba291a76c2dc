"""How extended attributes go into the orders of a restore."""

from __future__ import annotations

from producer.restore import orders
from producer.restore.orders import ENTRIES_COUNT, MAX_ORDERED_ATTRIBUTES_BYTES, batches, in_bounds
from producer.restore.planning.picks import Pick
from tasks.orders import TargetEntry

LARGE = {"user.a": "A" * (MAX_ORDERED_ATTRIBUTES_BYTES // 3)}


def pick(number: int, attributes: dict[str, str]) -> Pick:
    return Pick(number, f"f{number}", 0, 0, 1, (0o644, 0, 0, 0), attributes)


def entry(number: int, attributes: dict[str, str]) -> TargetEntry:
    return TargetEntry(kind="file", path=f"f{number}", mode=0, uid=0, gid=0, mtime_ns=0, attributes=attributes)


def different(number: int) -> dict[str, str]:
    return {f"user.{number}": LARGE["user.a"]}


def test_files_that_share_attributes_share_an_order() -> None:
    picks = [pick(number, LARGE) for number in range(100)]
    assert [len(chunk) for chunk in in_bounds(picks)] == [100]


def test_files_with_large_attributes_of_their_own_are_divided_among_orders() -> None:
    picks = [pick(number, different(number)) for number in range(5)]
    chunks = list(in_bounds(picks))
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    assert [one for chunk in chunks for one in chunk] == picks


def test_entries_are_divided_by_number_and_by_the_size_of_their_attributes() -> None:
    plain = [entry(number, {}) for number in range(ENTRIES_COUNT + 1)]
    large = [entry(number, different(number)) for number in range(3)]
    assert [len(batch) for batch in batches(iter(plain))] == [ENTRIES_COUNT, 1]
    assert [len(batch) for batch in batches(iter(large))] == [2, 1]


def test_a_row_names_the_place_of_its_attributes() -> None:
    rows, sets = orders._with_places([(1, 2, 3, 4), (), (5, 6, 7, 8), (9, 9, 9, 9)], [LARGE, LARGE, {}, LARGE])
    assert rows == ((1, 2, 3, 4, 0), (), (5, 6, 7, 8), (9, 9, 9, 9, 0))
    assert sets == (LARGE,)
