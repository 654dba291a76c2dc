"""Whether an owner of locks lives."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from producer.catalog.tables.owners import OwnerRow
from producer.ownership.verdict import GONE_S, RENEW_S, SUSPECT_S, Verdict, verdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def owner(space: str, silent_s: float = 0.0, manager: str = "") -> OwnerRow:
    return OwnerRow(
        owner_id="1" * 32,
        host="host",
        pid_space=space,
        pid=7,
        process_start="70",
        manager=manager,
        since=NOW,
        renewed_at=NOW,
        silent_s=silent_s,
        beats_count=0,
    )


@pytest.mark.parametrize("silent_s", [0.0, 10 * GONE_S])
@pytest.mark.parametrize(("start", "expected"), [("70", "alive"), ("71", "gone"), ("", "gone")])
def test_of_an_owner_in_reach_the_process_decides_and_nothing_else(
    start: str, expected: Verdict, silent_s: float
) -> None:
    found = verdict(owner("here", silent_s), here="here", running=lambda pid, began: pid == 7 and began == start)
    assert found == expected


@pytest.mark.parametrize(
    ("silent_s", "manager", "expected"),
    [
        (0.0, "", "alive"),
        (SUSPECT_S - 1, "", "alive"),
        (SUSPECT_S, "", "suspect"),
        (GONE_S - 1, "other", "suspect"),
        (GONE_S, "other", "gone"),
        (0.0, "m", "suspect"),
        (SUSPECT_S, "m", "gone"),
    ],
)
def test_of_an_owner_out_of_reach_its_last_sign_of_life_decides(
    silent_s: float, manager: str, expected: Verdict
) -> None:
    # A process of the same number here says nothing.
    found = verdict(owner("there", silent_s, manager), manager="m", here="here", running=lambda pid, start: True)
    assert found == expected


def test_without_a_manager_two_owners_without_one_are_not_of_the_same() -> None:
    assert verdict(owner("there"), here="here") == "alive"


def test_renewals_may_be_missed_before_an_owner_is_suspect() -> None:
    assert 3 * RENEW_S <= SUSPECT_S < GONE_S
