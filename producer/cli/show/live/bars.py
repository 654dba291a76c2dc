"""Progress bars on a terminal: one per device and then one for the whole, with rate and time left."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.progress_bar import ProgressBar
from rich.table import Column
from rich.text import Text

from producer.cli.show.counts import counted
from producer.cli.show.live.plain_lines import trouble_line
from producer.cli.show.rows.file_lines import file_line
from producer.cli.show.safe_text import harmless
from producer.cli.show.wrapped import wrapped
from producer.configuration.values.ages import format_age
from producer.configuration.values.sizes import format_size
from producer.observer import FileChange, Progress, Trouble

_WHOLE = "all"

#: While these last, the total is still growing.
_COUNTING = ("starting", "walking", "planning")

#: Devices in these states take nothing more, so that they have no rate and no time left.
_GONE = ("dead", "absent", "lost")

#: (columns of the terminal, width of the bars); wider terminals get the last width.
_BAR_WIDTHS = ((79, 0), (99, 8), (119, 16))
_WIDEST_BAR = 30


def _is_gone(task: Task) -> bool:
    return task.fields["state"] in _GONE


class _Bar(BarColumn):
    """Calm while there is work; a device that is gone has an empty bar, not a full one."""

    def render(self, task: Task) -> ProgressBar:
        bar = super().render(task)
        if _is_gone(task):
            bar.total, bar.completed, bar.pulse, bar.style = 1, 0, False, "red"
        return bar


class _RateColumn(ProgressColumn):
    """The mean of the last half minute."""

    def render(self, task: Task) -> Text:
        rate = None if _is_gone(task) else task.finished_speed or task.speed
        return Text(f"{format_size(rate)}/s" if rate else "", style="cyan")


class _LeftColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        left_s = None if _is_gone(task) or task.finished or task.total is None else task.time_remaining
        return Text("" if left_s is None else f"{format_age(timedelta(seconds=left_s))} left")


class _RestColumn(ProgressColumn):
    """The state of a device; of the whole, how long it takes, and what it has met.  As much as there is room for."""

    def render(self, task: Task) -> Text:
        style = (
            "red" if _is_gone(task) else "yellow" if task.fields["state"] in ("full", "read-only", "suspect") else ""
        )
        return Text(task.fields["rest"], style=style, overflow="ellipsis", no_wrap=True)


def _columns(width: int) -> list[ProgressColumn]:
    bar_width = next((wide for most, wide in _BAR_WIDTHS if width <= most), _WIDEST_BAR)
    bar = _Bar(bar_width=bar_width, style="bright_black", complete_style="cyan", finished_style="green")
    return [
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=max(8, width // 6))),
        *([bar] if bar_width else []),
        TextColumn("{task.fields[amount]}", markup=False),
        _RateColumn(),
        *([_LeftColumn()] if width >= 70 else []),
        _RestColumn(table_column=Column(ratio=1, no_wrap=True)),
    ]


class BarsObserver:
    """A context manager: shows the bars on standard error, and removes them at exit."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        self._bars = Bars(*_columns(console.width), console=console, transient=True, expand=True)
        self._rows: dict[str, TaskID] = {}
        self._began_s = time.monotonic()
        self._errors_count = 0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bars.stop()

    def worker_started(self, device: str, pid: int) -> None:
        """Only scripts want to know."""

    def note(self, text: str) -> None:
        self._say(f"segfleet: {harmless(text)}")

    def file(self, change: FileChange, path: str) -> None:
        self._print(file_line(change, path))

    def trouble(self, trouble: Trouble) -> None:
        self._errors_count += 1
        self._say(trouble_line(trouble))

    def progress(self, progress: Progress) -> None:
        if any(f"  {name}" not in self._rows for name in progress.devices):
            # It comes last again, behind those that are new.
            self._remove(_WHOLE)
        for name, device in progress.devices.items():
            # A restore does not count beforehand what it needs from each device.
            planned_bytes = device.bytes_planned if progress.phase != "restoring" else None
            rest = "" if device.state == "live" else device.state
            self._show(f"  {name}", device.bytes_done, planned_bytes, rest, state=device.state)
        if progress.phase in _COUNTING:
            self._show(_WHOLE, 0, None, self._rest(progress), amount="")
        else:
            self._show(_WHOLE, progress.bytes_done, progress.bytes_total, self._rest(progress))

    def _rest(self, progress: Progress) -> str:
        """The line of the whole, the most important first."""
        is_counting = progress.phase in _COUNTING
        words = [
            progress.phase if is_counting else "",
            counted(self._errors_count, "error") if self._errors_count else "",
            "" if is_counting else format_age(timedelta(seconds=time.monotonic() - self._began_s)),
            f"{progress.files_count:,} {'file' if progress.files_count == 1 else 'files'}"
            if progress.files_count
            else "",
            format_size(progress.bytes_total) if is_counting and progress.bytes_total else "",
        ]
        return ", ".join(filter(None, words))

    def _show(
        self, name: str, done: int, total: int | None, rest: str, *, state: str = "live", amount: str | None = None
    ) -> None:
        """Move the bar ``name``, and create it when it is new; a bar without a total swings."""
        if amount is None:
            amount = format_size(done) if total is None else f"{format_size(done)} of {format_size(total)}"
        fields: dict[str, Any] = {"rest": rest, "state": state, "amount": amount}
        if name not in self._rows:
            self._rows[name] = self._bars.add_task(name, total=total, **fields)
        self._set_total(self._rows[name], total)
        self._bars.update(self._rows[name], completed=done, **fields)

    def _set_total(self, row: TaskID, total: int | None) -> None:
        """Keep the rate: Rich forgets it with each new total, and each device that dies changes those of the others."""
        task = next(task for task in self._bars.tasks if task.id == row)
        if task.finished or task.total is None or total is None:
            self._bars.update(row, total=total)
        else:
            task.total = total

    def _remove(self, name: str) -> None:
        row = self._rows.pop(name, None)
        if row is not None:
            self._bars.remove_task(row)

    def _say(self, text: str) -> None:
        for line in wrapped(text, self._bars.console.width):
            self._print(line)

    def _print(self, line: str) -> None:
        """A path stays on one line, so that it can be copied."""
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
