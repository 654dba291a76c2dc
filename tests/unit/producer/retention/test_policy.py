"""What is kept, and why, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from producer.requests import UNLIMITED_COUNT, Retention
from producer.retention.policy import Candidate, decide

NOW = datetime(2026, 12, 1, tzinfo=UTC)

#: Newest first: two on one day, one each on three more, one of the month before, one of the year before.
HISTORY = (
    "2026-11-20T18:00",
    "2026-11-20T06:00",
    "2026-11-19T18:00",
    "2026-11-18T18:00",
    "2026-11-15T18:00",
    "2026-10-31T18:00",
    "2025-12-31T18:00",
)


def candidate(at: str, *, tags: str = "", held_by: tuple[str, ...] = ()) -> Candidate:
    """Its id is its time."""
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return Candidate(snapshot_id=at, at=moment, tags=tuple(tags.split()), held_by=held_by)


def kept(retention: Retention, *times: str) -> dict[str, tuple[str, ...]]:
    verdicts = decide([candidate(at) for at in times or HISTORY], retention, NOW)
    assert len(verdicts) == len(times or HISTORY)
    return {verdict.snapshot_id: verdict.reasons for verdict in verdicts if verdict.reasons}


@pytest.mark.parametrize(
    ("counts", "days_kept"),
    [
        ({"last": 1}, "20T18"),
        ({"last": 3}, "20T18 20T06 19"),
        ({"hourly": 2}, "20T18 20T06"),
        ({"daily": 2}, "20T18 19"),
        # The 15th is a Sunday: of the week before.
        ({"weekly": 2}, "20T18 15"),
        ({"monthly": 2}, "20T18 31"),
        ({"yearly": 1}, "20T18"),
        ({"daily": 1, "weekly": 2}, "20T18 15"),
    ],
)
def test_of_each_period_the_newest_is_kept(counts: dict[str, int], days_kept: str) -> None:
    assert [at[8:13] for at in kept(Retention(counts=counts))] == [
        next(known[8:13] for known in HISTORY if known[8:].startswith(day)) for day in days_kept.split()
    ]


def test_a_rule_with_counts_left_keeps_the_oldest() -> None:
    times = ("2026-11-20T18:00", "2026-11-20T12:00", "2026-11-20T06:00")
    assert kept(Retention(counts={"daily": 2}), *times) == {
        "2026-11-20T18:00": ("daily snapshot",),
        "2026-11-20T06:00": ("oldest daily snapshot",),
    }
    assert kept(Retention(counts={"daily": 1}), *times) == {"2026-11-20T18:00": ("daily snapshot",)}


def test_each_rule_that_keeps_a_snapshot_is_named() -> None:
    found = kept(Retention(counts={"last": 1, "daily": 1, "yearly": 5}, within={"all": "1d", "weekly": "10d"}))
    assert found["2026-11-20T18:00"] == (
        "within 1d",
        "last snapshot",
        "daily snapshot",
        "yearly snapshot",
        "weekly within 10d",
    )
    assert found["2026-11-20T06:00"] == ("within 1d",)
    assert found["2026-11-15T18:00"] == ("weekly within 10d",)
    assert found["2025-12-31T18:00"] == ("yearly snapshot",)


@pytest.mark.parametrize(
    ("within", "days_kept"),
    [
        ({"all": "2d"}, "20 20 19"),
        ({"all": "2d1h"}, "20 20 19 18"),
        ({"hourly": "13h"}, "20 20"),
        ({"daily": "2d1h"}, "20 19 18"),
        ({"monthly": "1m"}, "20 31"),
        ({"yearly": "1y"}, "20 31"),
        ({"daily": "0d"}, ""),
        ({"all": "0d"}, ""),
    ],
)
def test_a_span_counts_from_the_newest(within: dict[str, str], days_kept: str) -> None:
    assert [at[8:10] for at in kept(Retention(within=within))] == days_kept.split()


def test_a_span_does_not_count_from_a_snapshot_in_the_future() -> None:
    times = ("2027-06-01T00:00", "2026-11-20T18:00", "2026-11-10T18:00")
    assert list(kept(Retention(within={"all": "2d"}), *times)) == ["2027-06-01T00:00", "2026-11-20T18:00"]


def test_all_are_kept_where_all_lie_in_the_future() -> None:
    assert len(kept(Retention(within={"all": "1h"}), "2027-06-01T00:00", "2027-01-01T00:00")) == 2


def test_unlimited_keeps_one_of_every_period() -> None:
    found = kept(Retention(counts={"daily": UNLIMITED_COUNT}))
    assert list(found) == [at for at in HISTORY if at != "2026-11-20T06:00"]


def test_a_week_that_spans_two_years_is_one_week() -> None:
    times = ("2026-01-01T12:00", "2025-12-30T12:00", "2025-12-28T12:00")
    assert list(kept(Retention(counts={"weekly": 1}), *times)) == ["2026-01-01T12:00"]


def test_a_snapshot_with_a_tag_is_kept_and_uses_up_no_count() -> None:
    candidates = [
        candidate("2026-11-20T18:00", tags="nightly"),
        candidate("2026-11-19T18:00"),
        candidate("2026-11-18T18:00", tags="release nightly"),
    ]
    verdicts = decide(candidates, Retention(counts={"last": 1}, tags=("release", "other")), NOW)
    assert [verdict.reasons for verdict in verdicts] == [("last snapshot",), (), ("has tag release",)]


def test_what_is_held_is_kept_whatever_the_policy_says() -> None:
    candidates = [candidate("2026-11-20T18:00"), candidate("2026-11-18T18:00", held_by=("pinned",))]
    verdicts = decide(candidates, Retention(counts={"last": 1}), NOW)
    assert [verdict.reasons for verdict in verdicts] == [("last snapshot",), ("pinned",)]


def test_of_two_at_the_same_moment_the_first_given_counts_as_the_newer() -> None:
    first, second = candidate("2026-11-20T18:00"), candidate("2026-11-20T18:00", tags="second")
    verdicts = decide([first, second], Retention(counts={"last": 1}, tags=("second",)), NOW)
    assert [verdict.reasons for verdict in verdicts] == [("last snapshot",), ("has tag second",)]


def test_a_policy_without_rules_keeps_nothing() -> None:
    assert kept(Retention()) == {}
    assert not Retention()


@pytest.mark.parametrize("wrong", ["2027-06-01T00:00", "1970-01-01T00:00"])
def test_a_snapshot_of_a_wrong_clock_takes_the_place_of_none_that_was_made_later(wrong: str) -> None:
    times = (*HISTORY[:2], wrong, *HISTORY[2:])
    made = [replace(candidate(at), made=-place) for place, at in enumerate(times)]
    for retention in (Retention(counts={"last": 2}), Retention(counts={"daily": 2})):
        found = [verdict.snapshot_id for verdict in decide(made, retention, NOW) if verdict.reasons]
        assert found[0] == HISTORY[0]
        assert len(found) == 2
