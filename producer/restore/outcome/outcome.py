"""What a restore has brought back, what it has not, and what it has said about that."""

from __future__ import annotations

import time
from collections import Counter

from producer.observer import Observer, Trouble
from producer.restore.outcome.holes import Hole, Holes
from producer.restore.outcome.unsupported import unsupported_message
from producer.summaries import RestoreSummary
from tasks.orders import RestoreSegment
from tasks.receipts import RestoreResult
from tasks.sources.metadata import MetadataKind


class Outcome:
    """Counts, lost ranges and troubles; each trouble goes to the observer once.

    ``name_of_target`` is what troubles name for the target itself: the raw volume that it is the image of.
    """

    def __init__(self, observer: Observer, snapshot_id: str, *, keep_holes: bool, name_of_target: str = "") -> None:
        self.holes = Holes(keep=keep_holes)
        #: Paths in the target of files that the restore has not put there.
        self.not_restored: set[str] = set()
        self.bytes_count = self._bytes_reused = 0
        #: Entries that lack metadata because this user may not set it.
        self.not_kept: Counter[MetadataKind] = Counter()
        #: What the file system of the target does not keep.
        self.unsupported: Counter[MetadataKind] = Counter()
        self._files_count = self._skipped_count = self._removed_count = 0
        #: Files that were read back and are what was restored.
        self.verified_files_count = self._verified_bytes = 0
        self._observer = observer
        self._snapshot_id = snapshot_id
        self._name_of_target = name_of_target
        self._told: set[tuple[str, str, str]] = set()

    @property
    def troubles_count(self) -> int:
        return len(self._told)

    def count(self, result: RestoreResult) -> None:
        self._files_count += result.files_count
        self.bytes_count += result.bytes_restored
        self._skipped_count += result.skipped_count
        self._bytes_reused += result.bytes_reused
        self._removed_count += result.removed_count
        self.verified_files_count += result.verified_files_count
        self._verified_bytes += result.verified_bytes
        self.not_kept.update(result.not_kept)
        self.unsupported.update(result.unsupported)

    def lose_order(self, order: RestoreSegment, code: str, why: str) -> None:
        """Record that nothing of the order can be restored."""
        rows = zip(order.paths, order.offsets_bytes, order.sizes_bytes, order.metadata, strict=True)
        for path, offset_bytes, size_bytes, metadata in rows:
            self.lose(path, offset_bytes, size_bytes, code, why, device=order.device)
            if metadata:
                self.not_restored.add(path)

    def lose(
        self,
        path: str,
        offset_bytes: int,
        size_bytes: int,
        code: str,
        why: str,
        *,
        device: str = "",
        is_lost: bool = True,
    ) -> None:
        """Record that a range of a file cannot be restored; ``device`` should have it, if it is lost: :meth:`tell`."""
        hole = Hole(offset_bytes=offset_bytes, size_bytes=size_bytes, why=why)
        self.holes.add(path, hole)
        self.tell(path, code, str(hole), device=device, is_lost=is_lost)

    def tell(self, path: str, code: str, message: str, *, device: str = "", is_lost: bool = True) -> None:
        """Report a trouble with ``path``, unless that has been said.

        ``is_lost``: the snapshot lacks it, or the device; otherwise the target does not take it.
        """
        if (path, code, message) not in self._told:
            self._told.add((path, code, message))
            self._observer.trouble(
                Trouble(
                    code=code,
                    message=message,
                    path=path or self._name_of_target,
                    snapshot_id=self._snapshot_id if is_lost else "",
                    device=device,
                )
            )

    def summary(self, started_s: float) -> RestoreSummary:
        for kind, count in sorted((+self.unsupported).items()):
            self.tell("", "not-kept", unsupported_message(kind, count), is_lost=False)
        return RestoreSummary(
            snapshot_id=self._snapshot_id,
            files=self._files_count,
            bytes_restored=self.bytes_count,
            skipped=self._skipped_count,
            removed=self._removed_count,
            bytes_reused=self._bytes_reused,
            verified_files=self.verified_files_count,
            verified_bytes=self._verified_bytes,
            not_kept=dict(+self.not_kept),
            errors=len(self._told),
            duration_s=round(time.monotonic() - started_s, 3),
            exit_code=3 if self._told else 0,
        )
