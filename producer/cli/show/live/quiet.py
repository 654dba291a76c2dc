"""A run's output with ``--quiet``: nothing, unless something goes wrong."""

from __future__ import annotations

from producer.cli.show.live.plain_lines import PlainObserver
from producer.observer import FileChange, Progress, Trouble

#: What was noted before the first trouble explains it; the last notes most of all.
_KEPT_COUNT = 200


class QuietObserver:
    """Keeps notes to itself until the first trouble, or :meth:`speak`; then it prints them, and all that follows."""

    def __init__(self) -> None:
        self._plain = PlainObserver()
        self._kept: list[str] | None = []

    def speak(self) -> None:
        kept, self._kept = self._kept or [], None
        for text in kept:
            self._plain.note(text)

    def worker_started(self, device: str, pid: int) -> None:
        """Only scripts want to know."""

    def file(self, change: FileChange, path: str) -> None:
        """Files are not named."""

    def note(self, text: str) -> None:
        if self._kept is None:
            self._plain.note(text)
        else:
            self._kept = [*self._kept[-_KEPT_COUNT + 1 :], text]

    def trouble(self, trouble: Trouble) -> None:
        self.speak()
        self._plain.trouble(trouble)

    def progress(self, progress: Progress) -> None:
        """Nothing goes wrong."""
