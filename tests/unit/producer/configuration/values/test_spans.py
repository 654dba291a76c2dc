from __future__ import annotations

from datetime import UTC, datetime

import pytest

from producer.configuration.values.spans import Span, parse_span
from tasks.errors import UsageError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("7d", Span(days_count=7)),
        ("36h", Span(hours_count=36)),
        ("1y5m7d2h", Span(years_count=1, months_count=5, days_count=7, hours_count=2)),
        ("2h1y", Span(years_count=1, hours_count=2)),
        ("0d", Span()),
    ],
)
def test_a_span_is_read(text: str, meant: Span) -> None:
    assert parse_span(text) == meant


@pytest.mark.parametrize("text", ["", "7", "d", "7w", "-7d", "1d1d", "1y 2m", "7D", "1.5d", "9999999d", "\u0667d"])
def test_what_is_no_span_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_span(text)
    assert "1y5m7d2h" in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("moment", "span", "before"),
    [
        ("2026-03-31T12:00", "1m", "2026-03-03T12:00"),
        ("2024-03-31T12:00", "1m", "2024-03-02T12:00"),
        ("2024-02-29T00:30", "1y1h", "2023-02-28T23:30"),
        ("2026-01-15T00:00", "1m15d", "2025-11-30T00:00"),
        ("2026-01-15T00:00", "999999y", "0001-01-01T00:00"),
        ("2026-01-15T00:00", "999999d", "0001-01-01T00:00"),
    ],
)
def test_a_span_counts_back_by_the_calendar(moment: str, span: str, before: str) -> None:
    found = parse_span(span).before(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(before).replace(tzinfo=UTC)


def test_a_span_of_nothing_is_false() -> None:
    assert not parse_span("0y0h")
    assert parse_span("1h")
