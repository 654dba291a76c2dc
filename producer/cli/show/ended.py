"""How a run is shown at its end: by its summary, whose exit code is that of the command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from producer.cli.call import Call
from producer.cli.show.json_lines import write_summary


class Summary(Protocol):
    @property
    def exit_code(self) -> int: ...


S = TypeVar("S", bound=Summary)


def ended(call: Call, summary: S, show: Callable[[S], None]) -> int:
    """Print the summary as it is wanted, with ``show`` for people; returns the exit code."""
    if call.json:
        write_summary(summary)
    elif call.says(summary.exit_code):
        show(summary)
    return summary.exit_code
