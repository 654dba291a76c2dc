"""What a command line asks for with ``--stdin`` and ``--stdin-from-command``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from producer.cli.options.stream import origin_of, source_of
from tasks.errors import UsageError


def choices(**given: Any) -> dict[str, Any]:
    usual = {
        "from_stdin": False,
        "from_command": False,
        "spool": "/spool",
        "spool_size": None,
        "dry_run": False,
        "files_from": (),
        "freeze": False,
        "mode": "auto",
    }
    return usual | given


def test_the_words_behind_the_dashes_are_the_command() -> None:
    words = ("pg_dump", "--all")
    origin = origin_of(choices(from_command=True, spool_size=5), words, words)
    assert origin is not None
    assert (origin.command, origin.spool, origin.spool_bytes) == (words, Path("/spool"), 5)
    stdin = origin_of(choices(from_stdin=True), (), None)
    assert stdin is not None
    assert stdin.command == ()
    assert origin_of(choices(), ("src",), None) is None


@pytest.mark.parametrize(
    ("given", "words", "behind", "message"),
    [
        ({"from_stdin": True, "from_command": True}, ("cat",), ("cat",), "two streams"),
        ({"from_stdin": True}, ("src",), None, "backed up alone"),
        ({"from_command": True}, (), None, "no command"),
        ({"from_command": True}, ("cat",), None, "backed up alone"),
        ({"from_command": True}, ("src", "cat"), ("cat",), "backed up alone"),
        ({"from_stdin": True, "dry_run": True}, (), None, "cannot be planned"),
        ({"from_stdin": True, "files_from": ("list",)}, (), None, "--files-from is not for streams"),
        ({"from_stdin": True, "mode": "raw"}, (), None, "--mode raw is not for streams"),
    ],
)
def test_what_does_not_fit_a_stream_is_refused(
    given: dict[str, Any], words: tuple[str, ...], behind: tuple[str, ...] | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        origin_of(choices(**given), words, behind)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "x" * 256])
def test_the_name_of_a_stream_is_a_file_name(name: str) -> None:
    with pytest.raises(UsageError, match="is not a file name"):
        source_of(name)
