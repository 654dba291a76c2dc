"""The logs of runs on this host: one file for each, the newest of them, none of them long."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_KEPT_COUNT = 1000
_SUFFIX = ".log"


def log_file(folder: Path, run_id: str) -> Path:
    return folder / f"{run_id}{_SUFFIX}"


def read_log(folder: Path, run_id: str) -> list[str] | None:
    """The lines of a run's log; None if this host has none."""
    try:
        text = log_file(folder, run_id).read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    return text.splitlines()


def remove_oldest(folder: Path, keep_count: int = _KEPT_COUNT) -> None:
    """Remove all logs but the newest; quietly, for another run may be doing the same."""
    with suppress(OSError):
        files = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda file: file.stat().st_mtime_ns)
        for file in files[: max(len(files) - keep_count, 0)]:
            file.unlink(missing_ok=True)
