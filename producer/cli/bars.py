"""Bars on a terminal: one for each device and one for the whole, with rate and time left."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from producer.cli.plainlines import trouble_line
from producer.cli.safe_text import harmless
from producer.observer import Progress, Trouble
from tasks.sizes import format_size

_WHOLE = "all"


class _AmountColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text(f"{task.fields['files_count']} files", style="progress.download")
        return Text(f"{format_size(task.completed)} of {format_size(task.total)}", style="progress.download")


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text(f"{format_size(rate)}/s" if rate else "", style="progress.data.speed")


class BarsObserver:
    """A context manager: the bars stand on standard error between enter and exit, and vanish then."""

    def __init__(self, console: Console | None = None) -> None:
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _AmountColumn(),
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
        """Of interest to scripts only."""

    def note(self, text: str) -> None:
        self._print(f"segfleet: {harmless(text)}")

    def trouble(self, trouble: Trouble) -> None:
        self._print(trouble_line(trouble))

    def progress(self, progress: Progress) -> None:
        for name, device in progress.devices.items():
            state = "" if device.state in ("", "live") else device.state
            self._show(f"  {name}", device.bytes_done, device.bytes_planned, state, 0)
        self._show(_WHOLE, progress.bytes_done, progress.bytes_total, progress.phase, progress.files_count)

    def _show(self, name: str, done: int, total: int, state: str, files_count: int) -> None:
        if name not in self._rows:
            self._rows[name] = self._bars.add_task(name, total=None, state=state, files_count=files_count)
        self._bars.update(self._rows[name], completed=done, total=total or None, state=state, files_count=files_count)

    def _print(self, line: str) -> None:
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
