"""When a manager starts a child for its schedule."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from producer.manager.due import Due
from tasks.errors import CatalogError


class Clock:
    """In place of the module ``time``."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s

    def pass_by(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("producer.manager.due.time", made)
    return made


def answers(*values: bool | CatalogError) -> Callable[[], bool]:
    rest = list(values)

    def is_due() -> bool:
        value = rest.pop(0)
        if isinstance(value, CatalogError):
            raise value
        return value

    return is_due


def looks(due: Due, clock: Clock, times: int, every_s: float = 2.0) -> list[bool]:
    found = []
    for _ in range(times):
        found.append(due.wants_child())
        clock.pass_by(every_s)
    return found


def test_the_catalog_is_asked_every_two_seconds_however_often_the_manager_looks(clock: Clock) -> None:
    due = Due(answers(True, False), lambda text: None)
    assert looks(due, clock, times=4, every_s=1.0) == [True, False, False, False]


def test_a_catalog_that_does_not_answer_is_told_once_and_the_schedule_goes_on(clock: Clock) -> None:
    away = CatalogError("catalog x: gone")
    notes: list[str] = []
    due = Due(answers(False, away, away, True), notes.append)

    assert looks(due, clock, times=4) == [False, False, False, True]

    assert notes == ["the schedule is paused: catalog x: gone", "the schedule continues"]


@pytest.mark.parametrize(("has_run", "is_next_at_once"), [(True, True), (False, False)])
def test_a_child_that_could_run_nothing_is_not_followed_by_another_at_once(
    clock: Clock, has_run: bool, is_next_at_once: bool
) -> None:
    due = Due(lambda: True, lambda text: None)
    assert looks(due, clock, times=1) == [True]
    due.started("child")

    due.ended("a master's run", has_run=False)
    due.ended("child", has_run=has_run)

    assert looks(due, clock, times=1) == [is_next_at_once]
    clock.pass_by(60)
    assert looks(due, clock, times=1) == [True]


def test_no_more_than_four_children_carry_out_the_schedule_at_once(clock: Clock) -> None:
    due = Due(lambda: True, lambda text: None)
    for number in range(4):
        assert looks(due, clock, times=1) == [True]
        due.started(str(number))
    assert looks(due, clock, times=1) == [False]
    due.ended("0", has_run=True)
    assert looks(due, clock, times=1) == [True]
