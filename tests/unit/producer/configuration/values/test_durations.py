"""Lengths of time on the command line."""

from __future__ import annotations

import pytest

from producer.configuration.values.durations import parse_duration
from tasks.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061)],
)
def test_what_a_person_writes(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1", "1.5h", "5 m", "1m1h", "soon", "٣m", "1" * 30])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a length of time"):
        parse_duration(text)
