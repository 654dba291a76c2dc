"""Shows the tags of snapshots, and which of them are pinned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from producer.cli.call import Call
from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import escaped
from producer.cli.show.wrapped import say

if TYPE_CHECKING:
    from producer.catalog.tables.snapshots.rows import SnapshotRow
    from producer.cli.show.json_types.lists import MarkedLine


def show_marked(call: Call, rows: Iterable[SnapshotRow]) -> None:
    """One line for each; with ``--json`` one object."""
    for row in rows:
        if call.json:
            line: MarkedLine = {
                "message_type": "snapshot",
                "snapshot_id": row.snapshot_id,
                "volume": row.volume,
                "tags": list(row.tags),
                "pinned": row.pinned,
            }
            write_row(line)
        else:
            tags = ", ".join(map(escaped, row.tags)) or "none"
            say(f"snapshot {row.snapshot_id[:8]}: {'pinned' if row.pinned else 'not pinned'}, tags: {tags}")
