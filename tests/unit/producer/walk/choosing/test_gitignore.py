"""Gitignore patterns about one entry.  The claims were compared with ``git ls-files`` on random trees."""

from __future__ import annotations

import pytest

from producer.walk.choosing.gitignore import GitIgnore, lines_of


@pytest.mark.parametrize(
    ("text", "path", "verdict"),
    [
        ("*.o", "x.o", True),
        ("*.o", "deep/x.o", True),
        ("*.o", "x.c", None),
        ("*.o\n!x.o", "x.o", False),
        ("!x.o\n*.o", "x.o", True),
        ("/x.o", "x.o", True),
        ("/x.o", "deep/x.o", None),
        ("a/x", "a/x", True),
        ("a/x", "b/a/x", None),
        ("build/", "build", None),
        ("build/", "build/", True),
        ("build/", "a/build/", True),
        ("build", "build/x", None),
        ("!keep/", "keep/x.o", None),
        ("a/**", "a/", None),
        ("a/**", "a/b/c", True),
        ("*/", "a/b/", True),
        ("*/", "a", None),
        ("[ab]/**/", "a/", None),
        ("[ab]/**/", "a/x/", True),
        ("[ab]/**/", "a/x", None),
        ("# x", "# x", None),
        ("\\#x", "#x", True),
        ("\\!x", "!x", True),
        ("x\r", "x", True),
        ("\ufeffx", "x", True),
    ],
)
def test_a_pattern_says_what_git_says(text: str, path: str, verdict: bool | None) -> None:
    is_directory = path.endswith("/")
    assert GitIgnore(lines_of(text)).leaves_out(path.rstrip("/"), is_directory=is_directory) is verdict


def test_a_line_that_is_no_pattern_is_named_and_the_others_hold() -> None:
    invalid: list[int] = []
    patterns = GitIgnore(["*.o", "!", "*.tmp"], invalid.append)
    assert invalid == [2]
    assert [patterns.leaves_out(name, is_directory=False) for name in ("x.o", "x.tmp", "x")] == [True, True, None]
