"""Chooses how a run is watched: JSON lines, bars on a terminal, or plain lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from producer.cli.jsonlines import JsonObserver
from producer.cli.plainlines import PlainObserver
from producer.cli.session import Session
from producer.observer import Observer


@contextmanager
def watched(session: Session) -> Iterator[Observer]:
    if session.json:
        yield JsonObserver()
    elif sys.stderr.isatty():
        from producer.cli.bars import BarsObserver

        with BarsObserver() as bars:
            yield bars
    else:
        yield PlainObserver()
