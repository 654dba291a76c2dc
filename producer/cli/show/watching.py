"""Chooses how to show a run: JSON lines, bars on a terminal, or plain lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from producer.cli.call import Call
from producer.cli.show.json_lines import JsonObserver
from producer.cli.show.plain_lines import PlainObserver
from producer.observer import Observer


@contextmanager
def watched(call: Call) -> Iterator[Observer]:
    if call.json:
        yield JsonObserver()
    elif sys.stderr.isatty():
        from producer.cli.show.bars import BarsObserver

        with BarsObserver() as bars:
            yield bars
    else:
        yield PlainObserver()
