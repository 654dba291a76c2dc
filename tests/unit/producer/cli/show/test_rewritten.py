"""What a rewrite refuses, and its table, as narrow as a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.cli.main import run
from producer.cli.show.rows.rewritten import rewrite_lines
from producer.summaries import RewriteSummary, RewrittenSnapshot

ROW = RewrittenSnapshot(
    snapshot_id="b" * 32,
    replaces="a" * 32,
    volume="photos\x1b[31m of a long name",
    entries_removed=3,
    files_removed=2,
    bytes_removed=5000,
)
SUMMARY = RewriteSummary(rewritten=(ROW,), unchanged=0, dry_run=False, duration_s=0.1, exit_code=0)


def test_a_narrow_terminal_cuts_the_volume_and_keeps_ids_and_numbers() -> None:
    header, row, *_ = rewrite_lines(SUMMARY, 60)
    assert max(len(header), len(row)) <= 60
    assert row.startswith("aaaaaaaa  bbbbbbbb") and row.endswith("4.9 KiB")


def test_wide_shows_all_columns_and_nothing_that_a_terminal_obeys() -> None:
    header, row, *_ = rewrite_lines(SUMMARY, None)
    assert "entries out" in header
    assert "\x1b" not in row and "of a long name" in row


@pytest.mark.parametrize("patterns", [["-e", ""], ["-e", "/keys", "-e", " "], ["--iexclude="]])
def test_an_empty_pattern_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], patterns: list[str]
) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)

    assert run(["rewrite", "latest", *patterns]) == 2
    assert "a PATTERN is empty" in capsys.readouterr().err
