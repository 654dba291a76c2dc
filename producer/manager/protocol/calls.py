"""The call that a manager makes of what a master asks: arguments for a process of the same program.  Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from producer.manager.protocol.asks.table import DRY_RESTORE, RUNS, Ask
from producer.manager.protocol.messages import Command

#: Fields that are words of the command, in their order there; all others are options.
_WORDS: dict[str, tuple[str, ...]] = {
    "backup": ("sources",),
    "plan": ("sources",),
    "resume": ("snapshot",),
    "retry": ("snapshot",),
    "restore": ("snapshot",),
    DRY_RESTORE: ("snapshot",),
    "check": ("snapshot",),
    "devices lost": ("device",),
    "forget": ("snapshots",),
    "rewrite": ("snapshots",),
    "pin": ("snapshots",),
    "unpin": ("snapshots",),
    "tag": ("snapshots",),
    "ls": ("snapshot", "path"),
    "find": ("pattern",),
    "diff": ("before", "after"),
    "dump": ("snapshot", "path"),
    "history": ("volume",),
    "snapshots": ("volume",),
    "stats": ("volume",),
    "status": ("name",),
    "log": ("run",),
    "schedule add": ("volume", "sources"),
    "schedule remove": ("name",),
    "unlock": ("volumes",),
}

#: Flags that have a word for No.
_NO = {"catch_up": "--skip-missed", "new_devices": "--known-devices-only"}


def arguments_of(command: Command) -> list[str]:
    """The arguments: each option as one ``--name=value``, the words behind ``--``."""
    as_json = ["--json"] if command.json or command.command in RUNS else []
    options = _options(command.ask, words_of(command.command))
    return [*command.command.split(), *as_json, *options, "--", *spoken(command)]


def words_of(command: str) -> tuple[str, ...]:
    """The names of the fields that are words."""
    return _WORDS.get(command, ())


def spoken(command: Command) -> tuple[str, ...]:
    """The command's words, as its operator gave them: sources, or a snapshot."""
    found: list[str] = []
    for name in words_of(command.command):
        value = getattr(command.ask, name)
        found += [value] if isinstance(value, str) else value or ()
    return tuple(found)


def _options(ask: Ask, words: tuple[str, ...]) -> Iterator[str]:
    for field in dataclasses.fields(ask):
        value = getattr(ask, field.name)
        option = "--" + field.name.replace("_", "-")
        if field.name in words or value is None:
            continue
        if isinstance(value, bool):
            if value or field.name in _NO:
                yield option if value else _NO[field.name]
        elif isinstance(value, tuple):
            yield from (f"{option}={one}" for one in value)
        else:
            yield f"{option}={value}"
