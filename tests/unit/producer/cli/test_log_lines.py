"""Warnings of modules that know no terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from producer.cli.log_lines import say_warnings


@pytest.fixture
def nobody() -> Iterator[logging.Handler]:
    """Gets the warnings to which nobody listens: in the program, all; pytest listens to every logger."""
    assert logging.lastResort is not None
    yield logging.lastResort
    logging.lastResort.setFormatter(None)


def warning(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "broker lost: %s", "args": (text,), "levelno": logging.WARNING})


def test_a_warning_begins_as_all_that_the_program_says(
    nobody: logging.Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    say_warnings()
    nobody.handle(warning("refused"))
    assert capsys.readouterr().err == "segfleet: broker lost: refused\n"


def test_a_service_says_it_in_its_own_way(nobody: logging.Handler, capsys: pytest.CaptureFixture[str]) -> None:
    say_warnings(lambda text: f"12:00 {text}")
    nobody.handle(warning("refused"))
    assert capsys.readouterr().err == "12:00 broker lost: refused\n"
