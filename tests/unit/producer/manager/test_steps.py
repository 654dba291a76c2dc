"""Nothing that goes wrong in one step ends the service."""

from __future__ import annotations

import pytest

from producer.manager.steps import Steps


def fail(text: str) -> None:
    raise RuntimeError(text)


def test_an_error_is_noted_once_and_the_next_step_is_taken() -> None:
    notes: list[str] = []
    taken: list[int] = []
    steps = Steps(before=lambda: None, note=notes.append)

    troubles = [steps.take(lambda: fail("no such luck")) for _ in range(3)]
    steps.take(lambda: taken.append(1))

    assert troubles == ["RuntimeError: no such luck"] * 3
    assert notes == ["the manager continues after an error: RuntimeError: no such luck"]
    assert taken == [1]


def test_a_signal_is_no_error_of_a_step() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Steps(before=lambda: None, note=lambda text: None).take(interrupt)
