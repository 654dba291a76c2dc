"""Odd file names on a terminal."""

from __future__ import annotations

import pytest

from producer.cli.show.safe_text import escaped, harmless


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain ü 日本", "plain ü 日本"),
        ("two\nlines", r"two\nlines"),
        ("red\x1b[31m", r"red\033[31m"),
        ("latin\udce9", r"latin\351"),
        ("c1\x9b2J", r"c1\302\2332J"),
        ("back\\slash", r"back\\slash"),
        ("tab\tbell\a", r"tab\tbell\a"),
        ("txt.\u202egpj", r"txt.\342\200\256gpj"),
        ("no\u200bwidth", r"no\342\200\213width"),
    ],
)
def test_nothing_in_a_name_is_obeyed_by_a_terminal(name: str, shown: str) -> None:
    assert escaped(name) == shown


def test_a_message_keeps_its_lines() -> None:
    assert harmless("needs 2 GiB:\n  a: 1 GiB\x1b[2J") == "needs 2 GiB:\n  a: 1 GiB\\033[2J"
    assert harmless(r"'a\\b'") == r"'a\\b'"
