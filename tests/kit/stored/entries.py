"""Entries without stored data, and orders that make them in a target."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.orders import EntryKind, Overwrite, RestoreEntries, TargetEntry
from tasks.receipts import RestoreResult
from workers.restore import restore_entries

MTIME_NS = 1_600_000_000_123_456_789


def entry(kind: EntryKind, path: str, **options: Any) -> TargetEntry:
    metadata: dict[str, Any] = {"mode": 0o750, "uid": os.getuid(), "gid": os.getgid(), "mtime_ns": MTIME_NS}
    return TargetEntry(kind=kind, path=path, **{**metadata, **options})


def make_entries(
    target: Path,
    *entries: TargetEntry,
    overwrite: Overwrite = "always",
    beat: Callable[[], None] = lambda: None,
    before_write: Callable[[], None] = lambda: None,
    **options: Any,
) -> RestoreResult:
    order = RestoreEntries(
        run_id="1" * 32,
        order_id="2" * 32,
        device="a",
        device_id="ef" * 16,
        epoch=0,
        attempt=1,
        reply_to="manager.m",
        target="t",
        entries=entries,
        overwrite=overwrite,
        **options,
    )
    return restore_entries(order, target_root=target, beat=beat, before_write=before_write)
