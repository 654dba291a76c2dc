"""What to do about an order that failed.  Pure (docs/faults.md)."""

from __future__ import annotations

from enum import Enum

from tasks.errors import Reason


class NextStep(Enum):
    """What follows a failed receipt."""

    RETRY_HERE = "try the same device again"
    RETRY_ELSEWHERE = "try another device"
    PROBE = "ask the device what is wrong with it"
    DEVICE_FULL = "the device takes no more"
    GIVE_UP = "keep the segment as failed"


#: Failures that the same order would meet again anywhere: nothing is retried blindly.
_HOPELESS = frozenset({Reason.REFUSED})

#: Failures that say something about the device, not about the segment.
_DEVICE_REASONS = frozenset({Reason.DEVICE, Reason.TIMEOUT})


def judge(reason: Reason, *, attempt: int, retries_count: int, probed: bool) -> NextStep:
    """Try the same device once more, then others, with at most ``retries_count`` tries after the first.

    ``attempt``: the one that failed, counted from 1.  ``probed``: the device was asked after this failure and is well,
    so the trouble is with this segment.
    """
    if reason is Reason.FULL:
        return NextStep.DEVICE_FULL
    if reason in _DEVICE_REASONS and not probed:
        return NextStep.PROBE
    if reason in _HOPELESS or attempt > retries_count:
        return NextStep.GIVE_UP
    return NextStep.RETRY_HERE if attempt == 1 else NextStep.RETRY_ELSEWHERE


def wait_before_s(attempt: int) -> float:
    """How long to wait before the try after ``attempt``: 0.5 s doubled each time, 30 s at most."""
    return float(min(30.0, 0.5 * 2 ** (attempt - 1)))
