"""Decides which snapshots of a volume are kept, and why.  Pure.

The rules are those of restic's ``forget``, so that a policy means here what people know it to mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from producer.configuration.values.spans import parse_span
from producer.requests import Retention

_FIRST = datetime.min.replace(tzinfo=UTC)

#: The bucket of a snapshot, by its time or its number from the newest; of each bucket the newest is kept.
_BUCKETS: dict[str, Callable[[datetime, int], object]] = {
    "last": lambda at, number: number,
    "hourly": lambda at, number: (at.date(), at.hour),
    "daily": lambda at, number: at.date(),
    "weekly": lambda at, number: at.isocalendar()[:2],
    "monthly": lambda at, number: (at.year, at.month),
    "yearly": lambda at, number: at.year,
}


class Candidate(Struct, frozen=True, kw_only=True):
    """A snapshot to decide about.  ``held_by``: why it is kept whatever the policy says."""

    snapshot_id: str
    at: datetime
    tags: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    #: Rises in the order of their making; counts more than the time, because a clock may have been wrong.
    made: int = 0


class Verdict(Struct, frozen=True, kw_only=True):
    """``reasons``: why the snapshot is kept; none: it is forgotten."""

    snapshot_id: str
    reasons: tuple[str, ...]


def decide(candidates: Iterable[Candidate], retention: Retention, now: datetime) -> list[Verdict]:
    """A verdict for each snapshot of one volume, the newest first; what is equally new, in the order given.

    Spans count from the newest snapshot that is not in the future.  Hours, days, weeks, months and years are those of
    UTC.  A rule that has counts left at the end keeps the oldest snapshot too.
    """
    ordered = sorted(candidates, key=lambda candidate: (candidate.made, candidate.at), reverse=True)
    rules = _rules(retention, _latest(ordered, now))
    verdicts = []
    for number, candidate in enumerate(ordered):
        found = [rule.reason(candidate, number, is_oldest=number == len(ordered) - 1) for rule in rules]
        reasons = (*candidate.held_by, *_tag_reasons(candidate, retention), *filter(None, found))
        verdicts.append(Verdict(snapshot_id=candidate.snapshot_id, reasons=reasons))
    return verdicts


def _latest(ordered: Sequence[Candidate], now: datetime) -> datetime:
    return next((candidate.at for candidate in ordered if candidate.at < now), _FIRST)


def _tag_reasons(candidate: Candidate, retention: Retention) -> list[str]:
    return [f"has tag {tag}" for tag in retention.tags if tag in candidate.tags]


def _rules(retention: Retention, latest: datetime) -> list[_Within | _Bucket]:
    spans = {period: (text, parse_span(text)) for period, text in retention.within.items()}
    all_text, all_span = spans.get("all", ("", None))
    rules: list[_Within | _Bucket] = [_Within(all_span.before(latest), f"within {all_text}")] if all_span else []
    for period in _BUCKETS:
        count = retention.counts.get(period, 0)
        rules += [_Bucket(period, f"{period} snapshot", count=count)] if count else []
    for period in _BUCKETS:
        text, span = spans.get(period, ("", None))
        rules += [_Bucket(period, f"{period} within {text}", since=span.before(latest))] if span else []
    return rules


class _Within:
    """Keeps all that is newer than a moment."""

    def __init__(self, since: datetime, words: str) -> None:
        self._since = since
        self._words = words

    def reason(self, candidate: Candidate, number: int, *, is_oldest: bool) -> str:
        return self._words if candidate.at > self._since else ""


class _Bucket:
    """Keeps the newest snapshot of each of the first buckets that have one."""

    def __init__(self, period: str, words: str, *, count: int | None = None, since: datetime = _FIRST) -> None:
        """``count``: of how many buckets; None: of all."""
        self._bucket_of = _BUCKETS[period]
        self._words = words
        self._left_count = count
        self._since = since
        self._last: object = None

    def reason(self, candidate: Candidate, number: int, *, is_oldest: bool) -> str:
        if self._left_count == 0 or candidate.at <= self._since:
            return ""
        bucket = self._bucket_of(candidate.at, number)
        is_of_last = bucket == self._last
        if is_of_last and not is_oldest:
            return ""
        self._last = bucket
        if self._left_count is not None:
            self._left_count -= 1
        return f"oldest {self._words}" if is_of_last else self._words
