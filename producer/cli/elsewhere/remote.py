"""Shows a run of a manager as if it ran here."""

from __future__ import annotations

import codecs
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click
import msgspec

from producer.cli.call import Call
from producer.cli.show.live.lost_files import LostFiles, watched_for_losses
from producer.cli.show.rows.summaries import show_backup, show_check, show_restore
from producer.cli.show.safe_text import harmless
from producer.cli.show.wrapped import warn
from producer.observer import Progress, Trouble
from producer.summaries import BackupSummary, CheckSummary, RestoreSummary

_SUMMARIES = {
    "backup": (BackupSummary, show_backup),
    "resume": (BackupSummary, show_backup),
    "retry": (BackupSummary, show_backup),
    "restore": (RestoreSummary, show_restore),
    "check": (CheckSummary, show_check),
}

#: These take --lost-files.
_LISTING = ("check", "restore")

_OURS = "segfleet: "


class Output:
    """Prints what it receives unchanged: JSON lines, lists, the bytes of a dump."""

    def __init__(self, *, is_text: bool) -> None:
        """``is_text``: escape what a terminal would obey, whatever the manager sends."""
        self._shown_as_text = codecs.getincrementaldecoder("utf-8")("surrogateescape") if is_text else None

    def out(self, line: str) -> None:
        click.echo(line)

    def data(self, data: bytes) -> None:
        if self._shown_as_text is not None:
            click.echo(harmless(self._shown_as_text.decode(data)), nl=False)
            return
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    def err(self, line: str) -> None:
        warn(line)


class Watched(Output):
    """Turns the JSON lines of a run into bars, troubles and a table."""

    def __init__(self, command: str, observer: LostFiles, call: Call) -> None:
        super().__init__(is_text=True)
        self._command = command
        self._observer = observer
        self._on_file = observer.file
        self._call = call
        #: The last error, held back: an error that ends the run also comes on standard error.
        self._held: Trouble | None = None
        #: Lines without our name in front: hints about the message before.
        self._hints: list[str] = []
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
            case "file":
                self._on_file(row["change"], row["path"])
            case "summary":
                self.summary = row

    def err(self, line: str) -> None:
        if line.startswith(_OURS):
            self._observer.note(line.removeprefix(_OURS))
        else:
            self._hints.append(line)

    def end(self) -> None:
        """Print the hints and the table, once the bars are gone."""
        if not self._call.says(self._exit_code):
            return
        for line in self._hints:
            super().err(line)
        if self.summary is not None:
            cls, show = _SUMMARIES[self._command]
            show(msgspec.convert(self.summary, cls))  # type: ignore[operator]

    @property
    def _exit_code(self) -> int:
        """Of a run that has not said how it ended: not well."""
        return int(self.summary.get("exit_code", 0)) if self.summary is not None else 1

    def _let_go(self) -> None:
        if self._held is not None:
            self._observer.trouble(self._held)
            self._held = None


class Recorded(Output):
    """Passes the JSON lines of a run on, and records the lost files that they name."""

    def __init__(self, losses: LostFiles, *, is_text: bool) -> None:
        super().__init__(is_text=is_text)
        self._losses = losses

    def out(self, line: str) -> None:
        super().out(line)
        with suppress(ValueError):
            row = json.loads(line)
            if row.pop("message_type", "") == "error":
                self._losses.record(msgspec.convert(row, Trouble))


@contextmanager
def shown(call: Call, command: str, lost_files: str | None = None) -> Iterator[Output]:
    """The output for the replies to ``command``, during the block; ``lost_files``: as --lost-files says."""
    is_text = sys.stdout.isatty() and command != "dump"
    if command not in _SUMMARIES:
        yield Output(is_text=is_text)
        return
    with watched_for_losses(call, lost_files, has_option=command in _LISTING) as losses:
        if call.json:
            yield Recorded(losses, is_text=is_text)
            return
        watching = Watched(command, losses, call)
        yield watching
    watching.end()
