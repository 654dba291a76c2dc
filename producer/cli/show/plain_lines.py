"""A run's output without a terminal: notes and troubles on standard error, no bars."""

from __future__ import annotations

import click

from producer.cli.show.safe_text import escaped, harmless
from producer.observer import Progress, Trouble


def trouble_line(trouble: Trouble) -> str:
    where = f"{escaped(trouble.path)}: " if trouble.path else ""
    return f"segfleet: {where}{harmless(trouble.message)}"


class PlainObserver:
    def worker_started(self, device: str, pid: int) -> None:
        """Only scripts want to know."""

    def note(self, text: str) -> None:
        click.echo(f"segfleet: {harmless(text)}", err=True)

    def trouble(self, trouble: Trouble) -> None:
        click.echo(trouble_line(trouble), err=True)

    def progress(self, progress: Progress) -> None:
        """A log needs no progress."""
