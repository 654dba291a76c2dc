"""How much may stay unused, as people write it."""

from __future__ import annotations

import click
import pytest

from producer.cli.options.repack import max_unused
from producer.requests import RepackLimits


@pytest.mark.parametrize(
    ("text", "percent", "size_bytes"),
    [
        ("5%", 5.0, None),
        ("0%", 0.0, None),
        ("12.5 %", 12.5, None),
        ("100%", 100.0, None),
        ("10GiB", None, 10 * 1024**3),
        ("0", None, 0),
        ("unlimited", None, None),
    ],
)
def test_a_share_a_size_or_no_limit(text: str, percent: float | None, size_bytes: int | None) -> None:
    assert max_unused(text) == RepackLimits(max_unused_percent=percent, max_unused_bytes=size_bytes)


@pytest.mark.parametrize("text", ["-5%", "101%", "%", "five%", "nan%", "-1GiB", "10GB", "", "some"])
def test_anything_else_is_refused_with_what_to_give(text: str) -> None:
    with pytest.raises(click.BadParameter, match="give"):
        max_unused(text)
