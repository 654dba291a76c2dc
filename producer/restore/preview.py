"""``restore --dry-run``: what a restore would write, keep, mend and remove, entry by entry."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from producer.observer import Observer
from producer.requests import RestoreRequest
from producer.restore.orders import batches
from producer.restore.outcome.failed import failed
from producer.restore.restore import restore_session
from producer.restore.restore_run import RestoreRun
from producer.run.environment import Environment
from producer.run.session import RunSession
from producer.run.wave import run_wave
from producer.summaries import PreviewSummary
from tasks.errors import DeviceError
from tasks.orders import EntryKind, Order
from tasks.orders.target_looks import Fate, PreviewEntries
from tasks.receipts import Receipt

Action = Literal[Fate, "removed"]


class PreviewRow(Struct, frozen=True, kw_only=True):
    """``path`` in the target.  ``size_bytes`` of what a restore would write."""

    action: Action
    path: str
    kind: EntryKind
    size_bytes: int = 0


def preview(
    request: RestoreRequest, observer: Observer, environment: Environment, show: Callable[[PreviewRow], None]
) -> PreviewSummary:
    """Show each row; raises what a restore raises before it writes anything.

    Writes nothing to the target or a device, and leaves nothing in the history.
    """
    started_s = time.monotonic()
    with restore_session(request, observer, environment) as session:
        return preview_in_session(session, request, show, started_s)


def preview_in_session(
    session: RunSession, request: RestoreRequest, show: Callable[[PreviewRow], None], started_s: float = 0.0
) -> PreviewSummary:
    return _Preview(session, request, show).summary_of_all(started_s)


class _Preview(RestoreRun):
    def __init__(self, session: RunSession, request: RestoreRequest, show: Callable[[PreviewRow], None]) -> None:
        super().__init__(session, request)
        self._show = show
        self._counts: Counter[str] = Counter()
        self._bytes_count = 0

    def summary_of_all(self, started_s: float) -> PreviewSummary:
        self._look_for_devices()
        self._refuse_to_empty_another_folder()
        self._tell_what_is_missing()
        device_id, device = self._entries.any_device()
        must_be_empty = self._request.overwrite is None
        orders = (
            self._orders.preview(device, device_id, batch, must_be_empty=must_be_empty)
            for batch in batches(self._plan.all_entries())
        )
        for died, why in run_wave(self._session, {device: orders}, self._take_preview).items():
            raise DeviceError(f"device {died} died while it looked at the target: {why}", hint="run it again")
        for path, is_directory in self._surplus():
            self._tell(PreviewRow(action="removed", path=path, kind="directory" if is_directory else "file"))
        errors_count = self._outcome.troubles_count
        return PreviewSummary(
            snapshot_id=self._snapshot.snapshot_id,
            new=self._counts["new"],
            replaced=self._counts["replaced"],
            mended=self._counts["mended"],
            kept=self._counts["kept"],
            refused=self._counts["refused"],
            removed=self._counts["removed"],
            bytes=self._bytes_count,
            errors=errors_count,
            duration_s=round(time.monotonic() - started_s, 3),
            exit_code=3 if errors_count or self._counts["refused"] else 0,
        )

    def _take_preview(self, order: Order, receipt: Receipt) -> None:
        assert isinstance(order, PreviewEntries)
        if receipt.failure is not None:
            raise failed(receipt.failure)
        for entry, fate in zip(order.entries, receipt.result.fates, strict=True):
            size_bytes = entry.size_bytes if entry.kind == "file" and fate in ("new", "replaced") else 0
            self._tell(PreviewRow(action=fate, path=entry.path, kind=entry.kind, size_bytes=size_bytes))

    def _tell(self, row: PreviewRow) -> None:
        self._counts[row.action] += 1
        self._bytes_count += row.size_bytes
        self._show(row)
