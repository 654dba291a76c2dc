"""Sizes as people write them."""

from __future__ import annotations

import pytest

from producer.configuration.values.sizes import format_size, parse_size
from tasks.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0", 0), ("4096", 4096), ("64KiB", 65536), ("24MiB", 25165824), ("1.5 GiB", 1610612736), ("2tib", 2 * 1024**4)],
)
def test_a_size_is_a_number_and_a_binary_unit(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "MiB", "-1", "24MB", "10G", "1e3", "0x10", "1,5GiB", "nan", "24 MiB of it"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_size(text)
    assert "24MiB" in refusal.value.hint


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (24 * 1024**2, "24 MiB"), (5000 * 1024**4, "5000 TiB")],
)
def test_a_size_is_shown_in_the_largest_unit_that_fits(size_bytes: int, text: str) -> None:
    assert format_size(size_bytes) == text
