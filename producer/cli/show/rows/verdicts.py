"""Shows what is kept of each volume, why, and what is forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.cli.show.counts import counted
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import rfc3339, with_age
from producer.configuration.values.sizes import format_size
from producer.retention.decisions import Decision
from producer.summaries import ForgetSummary

_HEADER = ("", "snapshot", "started", "volume", "pool", "size", "tags", "why")
_POOL = _HEADER.index("pool")
_SELDOM = ("tags", "size")
_Verdict = tuple[str, SnapshotRow, tuple[str, ...]]


def verdict_lines(decisions: Iterable[Decision], width: int | None = None) -> Iterator[str]:
    """A table with one line for each snapshot, newest first within its volume; with pools where there are several."""
    verdicts = [verdict for decision in decisions for verdict in _verdicts(decision)]
    has_pools = len({row.pool_id for _, row, _ in verdicts}) > 1
    lines = [_HEADER, *(_cells(*verdict) for verdict in verdicts)]
    header, *cells = [line if has_pools else (*line[:_POOL], *line[_POOL + 1 :]) for line in lines]
    return lines_of(header, cells, right="===  >" if has_pools else "=== >", seldom=_SELDOM, width=width)


def verdict_rows(decisions: Iterable[Decision]) -> Iterator[dict[str, Any]]:
    """The same as objects for ``--json``."""
    for decision in decisions:
        for verdict, row, reasons in _verdicts(decision):
            yield {
                "message_type": "verdict",
                "snapshot_id": row.snapshot_id,
                "volume": row.volume,
                "pool_id": row.pool_id,
                "started": rfc3339(row.started_at),
                "tags": list(row.tags),
                "pinned": row.pinned,
                "verdict": verdict,
                "reasons": list(reasons),
            }


def forget_words(summary: ForgetSummary) -> str:
    forgotten, kept = counted(summary.forgotten, "snapshot"), f"{summary.kept} kept"
    if summary.dry_run:
        return f"{forgotten} would be forgotten, {kept}; nothing has been changed"
    return f"{forgotten} forgotten, {kept}"


def _verdicts(decision: Decision) -> list[_Verdict]:
    found: list[_Verdict] = [("keep", kept.row, kept.reasons) for kept in decision.kept]
    found += [("forget", row, ()) for row in decision.forgotten]
    advice = "a run is using its volume" if decision.is_in_use else "resume it, or forget it by its id"
    found += [("unfinished", row, (advice,)) for row in decision.unfinished]
    return sorted(found, key=lambda verdict: verdict[1].started_at, reverse=True)


def _cells(verdict: str, row: SnapshotRow, reasons: tuple[str, ...]) -> tuple[str, ...]:
    return (
        verdict,
        row.snapshot_id[:8],
        with_age(row.started_at),
        row.volume,
        row.pool_id[:8],
        format_size(row.bytes_source),
        escaped(",".join(row.tags)),
        escaped(", ".join(reasons)),
    )
