from __future__ import annotations

from datetime import UTC, datetime, timedelta

from producer.cli.show.chart import chart

FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def drawn(*points: tuple[int, int], encoding: str | None = "utf-8") -> str:
    """Of (day, amount) pairs, in five columns."""
    return chart([(FIRST + timedelta(days=day), amount) for day, amount in points], columns_count=5, encoding=encoding)


def test_each_column_is_as_high_as_the_amount_at_its_end() -> None:
    assert drawn((0, 0), (2, 35), (10, 70)) == "▄▄▄▄█"
    assert drawn((0, 70), (10, 70)) == "█████"
    assert drawn((0, 10), (9, 10), (10, 70)) == "▂▂▂▂█"


def test_one_moment_has_one_column() -> None:
    assert drawn((0, 5)) == "█"
    assert drawn((0, 5), (0, 10)) == "█"


def test_nothing_is_the_lowest_column() -> None:
    assert drawn((0, 0), (10, 0)) == "▁▁▁▁▁"


def test_a_terminal_without_blocks_gets_plain_characters() -> None:
    assert drawn((0, 0), (10, 70), encoding="ascii") == "____@"
    assert drawn((0, 0), (10, 70), encoding=None) == "____@"
