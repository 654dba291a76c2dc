"""What ``segfleet init`` asks on a terminal."""

from __future__ import annotations

import string
from pathlib import Path

import click

from producer.cli.options.sources.paths import absolute


def ask_sources() -> tuple[str, ...]:
    """At least one folder."""
    found: list[str] = []
    while True:
        text = "Folder to back up" if not found else "Another folder (empty: no more)"
        answer = click.prompt(text, default="" if found else None, show_default=False).strip()
        if not answer:
            return tuple(found)
        found.append(answer)


def ask_devices() -> tuple[tuple[str, Path], ...]:
    """At least one device; they are called a, b, c."""
    found: list[tuple[str, Path]] = []
    for name in string.ascii_lowercase:
        text = "Folder on a disk for backups" if not found else "Folder on another disk (empty: no more)"
        answer = click.prompt(text, default="" if found else None, show_default=False).strip()
        if not answer:
            break
        found.append((name, absolute(answer)))
    return tuple(found)


def ask_cron() -> str | None:
    """A cron line; None for no schedule."""
    answer = click.prompt("When to back up, as a cron line (-: no schedule)", default="0 2 * * *").strip()
    return None if answer in ("", "-") else answer
