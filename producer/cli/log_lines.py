"""Warnings that nobody passes on: said as all else is, with the program's name and, in a service, the time."""

from __future__ import annotations

import logging
from collections.abc import Callable


def say_warnings(as_said: Callable[[str], str] = "segfleet: {}".format) -> None:
    """``as_said``: a message as it is printed on standard error."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Said(as_said))


class _Said(logging.Formatter):
    def __init__(self, as_said: Callable[[str], str]) -> None:
        super().__init__()
        self._as_said = as_said

    def format(self, record: logging.LogRecord) -> str:
        return self._as_said(super().format(record))
