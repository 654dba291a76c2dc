"""Shows a run that takes place elsewhere as if it took place here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from producer.cli.safe_text import harmless
from producer.cli.session import Session
from producer.cli.summaries import show_backup, show_check, show_restore
from producer.cli.watching import watched
from producer.observer import Observer, Progress, Trouble
from producer.summaries import BackupSummary, CheckSummary, RestoreSummary

_SUMMARIES = {
    "backup": (BackupSummary, show_backup),
    "resume": (BackupSummary, show_backup),
    "retry": (BackupSummary, show_backup),
    "restore": (RestoreSummary, show_restore),
    "check": (CheckSummary, show_check),
}


class Lines:
    """Prints the lines as they come: JSON, and lists."""

    def out(self, line: str) -> None:
        click.echo(line)

    def err(self, line: str) -> None:
        click.echo(harmless(line), err=True)


class Watched:
    """Turns the JSON lines of a run into bars, troubles and a table."""

    def __init__(self, command: str, observer: Observer) -> None:
        self._command = command
        self._observer = observer
        #: The last error, held back: one that ends the run is told on standard error too.
        self._held: Trouble | None = None
        self.summary: dict[str, Any] | None = None

    def out(self, line: str) -> None:
        try:
            row = json.loads(line)
        except ValueError:
            return
        self._let_go()
        match row.pop("message_type", ""):
            case "status":
                self._observer.progress(msgspec.convert(row, Progress))
            case "error":
                self._held = msgspec.convert(row, Trouble)
            case "summary":
                self.summary = row

    def err(self, line: str) -> None:
        self._observer.note(line.removeprefix("segfleet: "))

    def end(self) -> None:
        """Print the table, once the bars are gone."""
        if self.summary is not None:
            cls, show = _SUMMARIES[self._command]
            show(msgspec.convert(self.summary, cls))  # type: ignore[operator]

    def _let_go(self) -> None:
        if self._held is not None:
            self._observer.trouble(self._held)
            self._held = None


@contextmanager
def shown(session: Session, command: str) -> Iterator[Lines | Watched]:
    """What shows the replies to ``command`` during the block."""
    if session.json or command not in _SUMMARIES:
        yield Lines()
        return
    with watched(session) as observer:
        watching = Watched(command, observer)
        yield watching
    watching.end()
