"""Chooses how to show a run: JSON lines, bars on a terminal, plain lines, or nothing while all is well."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from producer.cli.call import Call
from producer.cli.log_lines import say_warnings
from producer.cli.show.json_lines import JsonObserver
from producer.cli.show.live.plain_lines import EVERY_S, PlainObserver
from producer.observer import FileChange, Observer


class Shown(Observer, Protocol):
    """Shows the files of ``--verbose`` too."""

    def file(self, change: FileChange, path: str) -> None: ...


@contextmanager
def watched(call: Call) -> Iterator[Shown]:
    say_warnings()
    if call.json:
        yield JsonObserver()
    elif call.quiet:
        with _quietly() as quiet:
            yield quiet
    elif sys.stderr.isatty():
        from producer.cli.show.live.bars import BarsObserver

        with BarsObserver() as bars:
            yield bars
    else:
        yield PlainObserver(every_s=EVERY_S)


@contextmanager
def _quietly() -> Iterator[Shown]:
    """An error ends the quiet: what was noted before may explain it."""
    from producer.cli.show.live.quiet import QuietObserver

    quiet = QuietObserver()
    try:
        yield quiet
    except BaseException:
        quiet.speak()
        raise
