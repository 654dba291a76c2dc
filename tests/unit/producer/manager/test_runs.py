"""What is notified of a run while its child prints, and when it has ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producer.manager.due import due_command
from producer.manager.presence import RunStatus
from producer.manager.runs import Run

DUE = {"message_type": "due", "volume": "data"}
STORING = {"message_type": "status", "phase": "storing", "bytes_done": 1}
REFUSED = {"message_type": "error", "code": "locked", "message": "device a is in use"}
SUMMARY = {"message_type": "summary", "runs": 1}


class Child:
    """Prints one row for each look, and ends with ``code``."""

    def __init__(self, rows: list[dict[str, Any]], code: int) -> None:
        self._rows = rows
        self._code = code

    def lines(self) -> list[tuple[str, str]]:
        return [("out", json.dumps(self._rows.pop(0)))] if self._rows else []

    def exit_code(self) -> int | None:
        return None if self._rows else self._code


def told(rows: list[dict[str, Any]], code: int) -> tuple[list[str], bool]:
    """The states that are notified of a run that the schedule has started, and whether it counts as begun."""
    statuses: list[RunStatus] = []
    run = Run(
        due_command(),
        Child(list(rows), code),  # type: ignore[arg-type]
        manager="m",
        reply=lambda queue, reply: pytest.fail("nobody waits for a reply"),
        tell=statuses.append,
        is_told=False,
    )
    while run.look() is None:
        pass
    return [status.state for status in statuses], run.has_begun


def test_a_scheduled_run_is_told_once_it_has_begun() -> None:
    assert told([DUE, STORING, SUMMARY], 0) == (["running", "done"], True)


@pytest.mark.parametrize("rows", [[SUMMARY], [DUE, REFUSED, SUMMARY]])
def test_a_scheduled_run_that_found_nothing_to_do_is_not_told(rows: list[dict[str, Any]]) -> None:
    assert told(rows, 0) == ([], False)


def test_a_scheduled_run_that_fails_before_it_begins_is_told() -> None:
    assert told([DUE, REFUSED, SUMMARY], 1) == (["failed"], False)
