"""What a rewrite has left out, or would."""

from __future__ import annotations

from collections.abc import Iterator

from producer.cli.show.counts import counted
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.configuration.values.sizes import format_size
from producer.summaries import RewriteSummary

_HEADER = ("snapshot", "replaced by", "volume", "entries out", "files out", "size out")
_SELDOM = ("entries out",)


def rewrite_lines(summary: RewriteSummary, width: int | None) -> Iterator[str]:
    """At most ``width`` columns wide: a line for each snapshot that was rewritten, and one for all."""
    rows = [
        (
            row.replaces[:8],
            row.snapshot_id[:8] or "-",
            escaped(row.volume),
            str(row.entries_removed),
            str(row.files_removed),
            format_size(row.bytes_removed),
        )
        for row in summary.rewritten
    ]
    if not rows:
        yield f"no path matches in {counted(summary.unchanged, 'snapshot')}: nothing is rewritten"
        return
    yield from lines_of(_HEADER, rows, right="== >>>", seldom=_SELDOM, width=width)
    verb = "would be rewritten" if summary.dry_run else "rewritten"
    others = f", {summary.unchanged} without such a path" if summary.unchanged else ""
    yield f"{counted(len(rows), 'snapshot')} {verb}{others}"
    if not summary.dry_run:
        yield "segfleet prune frees the space of what was left out"
