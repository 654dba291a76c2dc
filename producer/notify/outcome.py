"""How one backup ended, for hooks and messages."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from producer.configuration.values.sizes import format_size
from producer.host.safe_text import escaped
from producer.summaries import BackupSummary
from tasks.errors import SegfleetError


class Outcome(Struct, frozen=True, kw_only=True):
    volume: str
    exit_code: int
    snapshot_id: str = ""
    errors: int = 0
    #: Why it failed, or is partial; "" otherwise.
    reason: str = ""
    #: One sentence.
    summary: str

    @property
    def kind(self) -> Literal["success", "partial", "failure"]:
        return "success" if self.exit_code == 0 else "partial" if self.exit_code == 3 else "failure"

    def variables(self) -> dict[str, str]:
        """For the hooks."""
        return {
            "SEGFLEET_EXIT_CODE": str(self.exit_code),
            "SEGFLEET_SNAPSHOT": self.snapshot_id,
            "SEGFLEET_ERRORS": str(self.errors),
            "SEGFLEET_REASON": escaped(self.reason),
            "SEGFLEET_SUMMARY": escaped(self.summary),
        }


def outcome_of(volume: str, summary: BackupSummary) -> Outcome:
    reason = f"{summary.errors} files or folders could not be backed up as they are" if summary.exit_code else ""
    what = f"snapshot {summary.snapshot_id[:8]} of" if summary.snapshot_id else "no new snapshot of"
    words = (
        f"{what} volume {volume}: {summary.files:,} files, "
        f"{format_size(summary.bytes_source)}, stored {format_size(summary.bytes_stored)} in {summary.duration_s:.0f} s"
    )
    return Outcome(
        volume=volume,
        exit_code=summary.exit_code,
        snapshot_id=summary.snapshot_id or "",
        errors=summary.errors,
        reason=reason,
        summary=f"{words}; {reason}" if reason else words,
    )


def outcome_of_failure(volume: str, error: BaseException) -> Outcome:
    is_known = isinstance(error, SegfleetError)
    reason = error.message if isinstance(error, SegfleetError) else f"internal error: {type(error).__name__}"
    return Outcome(
        volume=volume,
        exit_code=error.exit_code if isinstance(error, SegfleetError) else 1,
        reason=reason,
        summary=f"the backup of volume {volume} failed: {reason}" + ("" if is_known else "; please report it"),
    )
