"""The history has the end of every run, however it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from kit.models.offline import Offline, offline
from producer.catalog.tables.runs import RunRow
from producer.run.history import recorded
from producer.summaries import CheckSummary
from tasks.errors import DeviceError

Work = Callable[[], CheckSummary]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Offline]:
    with offline(tmp_path) as run:
        yield run


def failing(error: BaseException) -> Work:
    def work() -> NoReturn:
        raise error

    return work


def ended(run: Offline, error: BaseException) -> RunRow:
    with pytest.raises(type(error)):
        recorded(run.session, "check", "", failing(error))
    (row,) = run.catalog.runs.all()
    assert row.ended_at is not None
    return row


@pytest.mark.parametrize(
    ("error", "exit_code", "reason"),
    [
        (DeviceError("a is gone"), 1, "a is gone"),
        (ZeroDivisionError("division by zero"), 1, "internal error: ZeroDivisionError: division by zero"),
        (ValueError("two\n  lines"), 1, "internal error: ValueError: two lines"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (SystemExit(9), 1, "internal error: SystemExit: 9"),
    ],
)
def test_a_run_that_ends_with_an_error_has_an_end_and_a_reason(
    run: Offline, error: BaseException, exit_code: int, reason: str
) -> None:
    row = ended(run, error)
    assert row.exit_code == exit_code
    assert row.summary is not None
    assert row.summary["error"] == reason


def test_an_error_is_raised_also_where_the_history_cannot_be_written(run: Offline) -> None:
    def work() -> NoReturn:
        run.catalog.close()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        recorded(run.session, "check", "", work)
