"""Progress bars on a terminal: one per device and one for the whole, with rate and time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from producer.cli.show.file_lines import file_line
from producer.cli.show.plain_lines import trouble_line
from producer.cli.show.safe_text import harmless
from producer.configuration.sizes import format_size
from producer.observer import FileChange, Progress, Trouble

_WHOLE = "all"

#: While these last, the total is still growing.
_COUNTING = ("starting", "walking", "planning")


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{format_size(rate)}/s" if rate else "", style="progress.data.speed")


class BarsObserver:
    """A context manager: shows the bars on standard error, and removes them at exit."""

    def __init__(self, console: Console | None = None) -> None:
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[amount]}", style="progress.download", markup=False),
            _RateColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[state]}", markup=False),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._bars.stop()

    def worker_started(self, device: str, pid: int) -> None:
        """Only scripts want to know."""

    def note(self, text: str) -> None:
        self._print(f"segfleet: {harmless(text)}")

    def file(self, change: FileChange, path: str) -> None:
        self._print(file_line(change, path))

    def trouble(self, trouble: Trouble) -> None:
        self._print(trouble_line(trouble))

    def progress(self, progress: Progress) -> None:
        for name, device in progress.devices.items():
            state = "" if device.state == "live" else device.state
            # A restore does not count beforehand what it needs from each device.
            planned_bytes = device.bytes_planned if progress.phase != "restoring" else None
            self._show(f"  {name}", device.bytes_done, planned_bytes, state, format_size(device.bytes_done))
        if progress.phase in _COUNTING:
            found = f"{progress.files_count:,} files, {format_size(progress.bytes_total)}"
            self._show(_WHOLE, 0, None, progress.phase, found)
        else:
            self._show(_WHOLE, progress.bytes_done, progress.bytes_total, progress.phase)

    def _show(self, name: str, done: int, total: int | None, state: str, amount: str = "") -> None:
        """Move the bar ``name``, and create it when it is new; a bar without a total swings."""
        if total is not None:
            amount = f"{format_size(done)} of {format_size(total)}"
        if name not in self._rows:
            self._rows[name] = self._bars.add_task(name, total=total, state=state, amount=amount)
        self._bars.update(self._rows[name], completed=done, total=total, state=state, amount=amount)

    def _print(self, line: str) -> None:
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
