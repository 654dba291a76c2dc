"""What follows a failed order."""

from __future__ import annotations

import pytest

from producer.backup.storing.failing.retry import NextStep, judge, wait_before_s
from tasks.errors import Reason

HERE, ELSEWHERE, PROBE = NextStep.RETRY_HERE, NextStep.RETRY_ELSEWHERE, NextStep.PROBE
FULL, GIVE_UP = NextStep.DEVICE_FULL, NextStep.GIVE_UP


@pytest.mark.parametrize(
    ("reason", "after_1", "after_2", "after_3"),
    [
        # With two retries the third try is the last.
        (Reason.SOURCE, HERE, ELSEWHERE, GIVE_UP),
        (Reason.DAMAGED, HERE, ELSEWHERE, GIVE_UP),
        (Reason.DEVICE, PROBE, PROBE, PROBE),
        (Reason.TIMEOUT, PROBE, PROBE, PROBE),
        (Reason.FULL, FULL, FULL, FULL),
        (Reason.REFUSED, GIVE_UP, GIVE_UP, GIVE_UP),
    ],
)
def test_the_same_device_once_then_another_one_then_no_more(
    reason: Reason, after_1: NextStep, after_2: NextStep, after_3: NextStep
) -> None:
    verdicts = [judge(reason, attempt=attempt, retries_count=2, probed=False) for attempt in (1, 2, 3)]
    assert verdicts == [after_1, after_2, after_3]


@pytest.mark.parametrize("reason", [Reason.DEVICE, Reason.TIMEOUT])
def test_when_the_device_is_well_the_trouble_is_with_the_segment(reason: Reason) -> None:
    verdicts = [judge(reason, attempt=attempt, retries_count=2, probed=True) for attempt in (1, 2, 3)]
    assert verdicts == [HERE, ELSEWHERE, GIVE_UP]


def test_every_reason_has_a_verdict_and_without_retries_the_first_failure_is_the_last() -> None:
    verdicts = {reason: judge(reason, attempt=1, retries_count=0, probed=True) for reason in Reason}
    assert verdicts.pop(Reason.FULL) is FULL
    assert set(verdicts.values()) == {GIVE_UP}


def test_the_wait_doubles_from_half_a_second_to_half_a_minute() -> None:
    waits = [wait_before_s(attempt) for attempt in range(1, 10)]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert wait_before_s(1000) == 30
