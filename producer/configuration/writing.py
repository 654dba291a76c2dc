"""Writes a new configuration file, with comments that say what else it may hold.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

#: A key of TOML that needs no quotes.
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Wishes(Struct, frozen=True, kw_only=True):
    volume: str
    #: Name → folder or file.
    sources: Mapping[str, Path]
    #: Name → folder.
    devices: Mapping[str, Path]
    #: None: no schedule.
    cron: str | None = None
    timezone: str | None = None
    exclude: tuple[str, ...] = field(default=())
    #: None: a private server on this host.
    broker_url: str | None = None


def configuration_text(wishes: Wishes) -> str:
    """TOML that :func:`producer.configuration.reading.parse_configuration` accepts."""
    return "\n".join([*_head(wishes), *_places(wishes), *_volume(wishes), *_schedule(wishes), *_defaults()])


def _head(wishes: Wishes) -> Iterator[str]:
    yield "# Configuration of segfleet; each run reads it.  All keys: docs/configuration.md"
    yield "# Look for mistakes with: segfleet config check"
    yield ""
    if wishes.broker_url is not None:
        yield "[broker]"
        yield f"url = {_quoted(wishes.broker_url)}"
    else:
        yield "# [broker]                  # only for several hosts: a Redis server that all of them reach"
        yield '# url = "redis://:password@host:6379/0"'
    yield ""


def _places(wishes: Wishes) -> Iterator[str]:
    yield "# Where backups go: a folder below the mount point of each disk, not the mount point itself."
    for name, path in wishes.devices.items():
        yield f"[devices.{name}]"
        yield f"path = {_quoted(path)}"
        yield '# reserve = "10GiB"         # space to leave free'
        yield ""
    yield "# What is backed up."
    for name, path in wishes.sources.items():
        yield f"[sources.{name if _BARE.fullmatch(name) else _quoted(name)}]"
        yield f"path = {_quoted(path)}"
        yield ""


def _volume(wishes: Wishes) -> Iterator[str]:
    yield f"# segfleet backup --volume {wishes.volume}"
    yield f"[volumes.{wishes.volume}]"
    yield f"sources = [{', '.join(map(_quoted, wishes.sources))}]"
    yield f"exclude = [{', '.join(map(_quoted, wishes.exclude))}]               # gitignore patterns"
    yield '# max-age = "26h"           # segfleet status calls it overdue when its last snapshot is older'
    yield "# level = 3                 # and other options of segfleet backup"
    yield '# pre = "…"                 # a command before each backup, and post after it'
    yield ""


def _schedule(wishes: Wishes) -> Iterator[str]:
    mark = "" if wishes.cron is not None else "# "
    yield "# Run by segfleet manager, or without one by cron: */5 * * * *  segfleet schedule run-due --quiet"
    yield f"{mark}[schedules.{wishes.volume}]"
    yield f"{mark}cron = {_quoted(wishes.cron or '0 2 * * *')}"
    if wishes.timezone is not None:
        yield f"{mark}timezone = {_quoted(wishes.timezone)}"
    else:
        yield '# timezone = "Europe/Berlin"  # left out: that of this machine'
    yield ""


def _defaults() -> Iterator[str]:
    yield "# Options of all backups; those of a volume win."
    yield "[defaults]"
    yield "# threads = 2               # left out: the cores divided among the devices"
    yield "# new-devices = false       # once all devices are in use: refuse other folders"
    yield ""


def _quoted(text: object) -> str:
    """A basic string of TOML: its escapes are those of JSON."""
    return json.dumps(str(text), ensure_ascii=False)
