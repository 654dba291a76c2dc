"""What a manager sends, as a master shows it."""

from __future__ import annotations

import pytest

from producer.cli.elsewhere.remote import Output
from producer.cli.show.rows.entries import shown_path
from producer.host.behalf import is_for_terminal, terminal_variables


def test_bytes_reach_a_pipe_as_they_are(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output = Output(is_text=False)

    for data in (b"\xff\x00\x1b[31m", b"\n", b"end"):
        output.data(data)

    assert capfdbinary.readouterr().out == b"\xff\x00\x1b[31m\nend"


def test_a_terminal_is_shown_nothing_that_it_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(is_text=True)
    whole = "täglich\n".encode() + b"\x1b[31m\xff\n"

    # A character that comes in two halves is one character.
    for data in (whole[:2], whole[2:]):
        output.data(data)

    assert capsys.readouterr().out == "täglich\n\\033[31m\\377\n"


def test_names_are_escaped_for_the_terminal_of_a_master(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (terminal_variables(0), is_for_terminal()) == ({}, False)
    for name, value in terminal_variables(100).items():
        monkeypatch.setenv(name, value)

    assert shown_path("with\nline") == r"with\nline"
