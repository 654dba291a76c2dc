"""``--json``: one object per line on standard output, and nothing else (docs/cli.md, "JSON lines")."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import click
from msgspec.structs import asdict

from producer.cli.show.safe_text import harmless
from producer.observer import FileChange, Progress, Trouble

#: Seconds between two status lines of one phase; only bars need ten per second.
_STATUS_INTERVAL_S = 1.0


def write_row(row: Mapping[str, object]) -> None:
    """Print one object and flush it: the reader may be waiting.  Structs in it become objects too."""
    # ASCII only: lone surrogates, which stand for bytes that are not UTF-8, survive as \udcXX.
    click.echo(json.dumps(row, default=asdict))


def write_summary(summary: Any) -> None:
    write_row({"message_type": "summary", **asdict(summary)})


def write_error(code: str, message: str, path: str = "", **more: str) -> None:
    """``more``: further fields, of which empty ones are left out."""
    given = {name: value for name, value in more.items() if value}
    write_row({"message_type": "error", "code": code, "message": message, "path": path, **given})


class JsonObserver:
    """A run's observer that prints all as lines; notes go to standard error too."""

    def __init__(self) -> None:
        self._phase = ""
        self._status_due_s = 0.0

    def worker_started(self, device: str, pid: int) -> None:
        write_row({"message_type": "worker", "device": device, "pid": pid})

    def file(self, change: FileChange, path: str) -> None:
        write_row({"message_type": "file", "change": change, "path": path})

    def note(self, text: str) -> None:
        write_row({"message_type": "note", "message": text})
        click.echo(f"segfleet: {harmless(text)}", err=True)

    def trouble(self, trouble: Trouble) -> None:
        write_error(trouble.code, trouble.message, trouble.path, snapshot_id=trouble.snapshot_id, device=trouble.device)

    def progress(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if progress.phase == self._phase and now_s < self._status_due_s:
            return
        self._phase, self._status_due_s = progress.phase, now_s + _STATUS_INTERVAL_S
        write_row({"message_type": "status", **asdict(progress)})
