"""The output of a run that is over in a moment: what people should know, and no progress."""

from __future__ import annotations

from producer.cli.call import Call
from producer.cli.show.json_lines import write_error
from producer.cli.show.wrapped import warn
from producer.observer import Progress, Trouble


class NotesObserver:
    """Prints notes, unless --quiet says otherwise, and troubles."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def worker_started(self, device: str, pid: int) -> None:
        """Nobody has the time to look at it."""

    def note(self, text: str) -> None:
        if not self._call.quiet:
            warn(f"segfleet: {text}")

    def trouble(self, trouble: Trouble) -> None:
        if self._call.json:
            write_error(trouble.code, trouble.message, trouble.path)
        warn(f"segfleet: {trouble.message}")

    def progress(self, progress: Progress) -> None:
        """It is over in a moment."""
