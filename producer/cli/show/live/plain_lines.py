"""A run's output without a terminal: notes and troubles on standard error, no bars."""

from __future__ import annotations

import time

import click

from producer.cli.show.counts import counted
from producer.cli.show.rows.file_lines import file_line
from producer.cli.show.safe_text import escaped, harmless
from producer.cli.show.wrapped import warn
from producer.configuration.values.sizes import format_size
from producer.observer import FileChange, Progress, Trouble

#: Between two lines of progress.
EVERY_S = 60.0


def trouble_line(trouble: Trouble) -> str:
    where = f"{escaped(trouble.path)}: " if trouble.path else ""
    return f"segfleet: {where}{harmless(trouble.message)}"


def progress_line(progress: Progress) -> str:
    """What a log says once a minute."""
    if not progress.bytes_done or not progress.bytes_total:
        found = f": {counted(progress.files_count, 'file')}, {format_size(progress.bytes_total)} found so far"
        return f"segfleet: {progress.phase}" + (found if progress.files_count else "")
    share = progress.bytes_done * 100 // progress.bytes_total
    done = f"{format_size(progress.bytes_done)} of {format_size(progress.bytes_total)}, {share} %"
    away = [f"{name} {device.state}" for name, device in progress.devices.items() if device.state != "live"]
    return f"segfleet: {progress.phase}: {done}" + (f" ({', '.join(away)})" if away else "")


class PlainObserver:
    """``every_s``: between two lines of progress; None: none."""

    def __init__(self, every_s: float | None = None) -> None:
        self._every_s = every_s
        self._next_s = time.monotonic() + (every_s or 0)

    def worker_started(self, device: str, pid: int) -> None:
        """Only scripts want to know."""

    def file(self, change: FileChange, path: str) -> None:
        click.echo(file_line(change, path), err=True)

    def note(self, text: str) -> None:
        warn(f"segfleet: {text}")

    def trouble(self, trouble: Trouble) -> None:
        warn(trouble_line(trouble))

    def progress(self, progress: Progress) -> None:
        if self._every_s is not None and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + self._every_s
            click.echo(progress_line(progress), err=True)
