"""Shows what a restore would do: a line for each entry, and the totals."""

from __future__ import annotations

import click

from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import escaped
from producer.cli.show.wrapped import say
from producer.configuration.values.sizes import format_size
from producer.restore.preview import PreviewRow
from producer.summaries import PreviewSummary

_ACTIONS = ("new", "replaced", "mended", "kept", "removed", "refused")


def show_row(row: PreviewRow) -> None:
    slash = "/" if row.kind == "directory" else ""
    click.echo(f"{row.action:<8}  {escaped(row.path)}{slash}")


def write_preview_row(row: PreviewRow) -> None:
    fields = {"action": row.action, "path": row.path, "kind": row.kind, "size_bytes": row.size_bytes}
    write_row({"message_type": "entry", **fields})


def show_preview(summary: PreviewSummary) -> None:
    counts = ", ".join(f"{getattr(summary, action)} {action}" for action in _ACTIONS)
    say(f"snapshot {summary.snapshot_id[:8]}: {counts}; {format_size(summary.bytes)} to restore; nothing is changed")
    if summary.errors:
        say("what could not be restored is named above")
