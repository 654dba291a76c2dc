"""The log of one run: what it has reported, with times, for anyone who asks later."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from producer.host.run_logs import log_file, remove_oldest
from producer.host.safe_text import escaped
from producer.observer import Observer, Progress, Trouble

#: A tree may have a million files that cannot be read.
MAX_LINES = 10_000

_FULL = "the log is full; what follows is left out\n"


class RunLog:
    """Passes all to ``inner``, and writes it into a file of ``folder`` once the run has begun.

    A run does not fail because its log cannot be written.
    """

    def __init__(self, inner: Observer, folder: Path, run_id: str, *, max_lines: int = MAX_LINES) -> None:
        self._inner = inner
        self._folder = folder
        self._run_id = run_id
        self._max_lines = max_lines
        self._file: TextIO | None = None
        self._waiting: list[str] = []
        self._lines_count = 0
        self._phase = ""

    def begin(self, what: str) -> None:
        """The run is in the history from now on: write what was reported so far, and what follows."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            # A run that was interrupted begins again under its id.
            self._file = log_file(self._folder, self._run_id).open(
                "a", encoding="utf-8", errors="surrogateescape", buffering=1
            )
            remove_oldest(self._folder)
        self._add(what)
        waiting, self._waiting = self._waiting, []
        for line in waiting:
            self._write(line)

    def end(self, how: str) -> None:
        self._lines_count = 0
        self._add(how)

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None

    def worker_started(self, device: str, pid: int) -> None:
        self._inner.worker_started(device, pid)

    def note(self, text: str) -> None:
        self._add(text)
        self._inner.note(text)

    def trouble(self, trouble: Trouble) -> None:
        self._add(f"{trouble.path}: {trouble.message}" if trouble.path else trouble.message)
        self._inner.trouble(trouble)

    def progress(self, progress: Progress) -> None:
        if progress.phase != self._phase:
            self._phase = progress.phase
            self._add(f"[{progress.phase}]")
        self._inner.progress(progress)

    def _add(self, text: str) -> None:
        line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {escaped(text)}\n"
        if self._file is None:
            if len(self._waiting) < self._max_lines:
                self._waiting.append(line)
        else:
            self._write(line)

    def _write(self, line: str) -> None:
        self._lines_count += 1
        if self._file is None or self._lines_count > self._max_lines:
            return
        with suppress(OSError):
            self._file.write(line if self._lines_count < self._max_lines else _FULL)
