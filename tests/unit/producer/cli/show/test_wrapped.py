"""Sentences that are wider than the terminal are broken between words."""

from __future__ import annotations

import pytest

from producer.cli.show.wrapped import warn, wrapped

SENTENCE = "snapshot 46d91636 of volume me: 843 files, 4 MiB"


def test_a_sentence_that_fits_and_one_without_a_terminal_stay_as_they_are() -> None:
    assert wrapped(SENTENCE, len(SENTENCE)) == wrapped(SENTENCE, None) == [SENTENCE]


def test_a_longer_one_is_broken_between_words_and_indented() -> None:
    assert wrapped(SENTENCE, 20) == ["snapshot 46d91636 of", "  volume me: 843", "  files, 4 MiB"]


def test_further_lines_begin_where_the_text_after_a_label_or_blanks_does() -> None:
    assert wrapped("spread  7 per cent of all", 16) == ["spread  7 per", "        cent of", "        all"]
    assert wrapped("    one two three", 12) == ["    one two", "    three"]


def test_a_word_that_is_wider_than_the_terminal_stays_whole() -> None:
    assert wrapped("see /a/very/long/path", 10) == ["see", "  /a/very/long/path"]


def test_a_note_for_another_program_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    warn("segfleet:" + " word" * 100)
    assert capsys.readouterr().err == "segfleet:" + " word" * 100 + "\n"
