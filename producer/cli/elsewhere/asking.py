"""From what an operator typed to what a manager is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import msgspec

from producer.manager.protocol.asks.table import ASKS, Ask
from producer.walk import read_exclude_file
from tasks.errors import UsageError

#: What stays with the master, unless the command has a field for it.  The ``dry_run`` of some is part of the command by
#: now; exclude files are read here, and lists of lost files written here.
_OURS = {
    *("manager", "detach", "json", "config", "help", "dry_run", "exclude_files", "devices", "lost_files"),
    *("wide", "quiet", "verbose"),
}


def ask_of(command: str, params: Iterable[click.Parameter], given: Mapping[str, Any]) -> Ask:
    """The value to send; ``given`` has the words of the command line by parameter, not converted.

    Raises UsageError for what managers do not take from a master.
    """
    if command not in ASKS:
        raise UsageError(f"a manager cannot be asked for {command}", hint="leave --manager out")
    cls = ASKS[command]
    known = {field.name for field in fields(cls)}
    values = {}
    for param in params:
        value = given.get(param.name or "")
        field = _field_of(param)
        if value is None or (param.name in _OURS and field not in known):
            continue
        if field not in known:
            raise UsageError(f"a manager does not take {max(param.opts, key=len)} from a master", hint="leave it out")
        values[field] = value
    if given.get("exclude_files"):
        values["exclude"] = [*values.get("exclude", ()), *_patterns(given["exclude_files"])]
    try:
        # Not strict: numbers are still text.
        return msgspec.convert(values, cls, strict=False)
    except msgspec.ValidationError as error:
        message = f"a manager cannot be asked for this: {error}"
        raise UsageError(message, hint=f"see segfleet {command} --help") from error


def _field_of(param: click.Parameter) -> str:
    if isinstance(param, click.Option):
        return max(param.opts, key=len).removeprefix("--").replace("-", "_")
    return str(param.name)


def _patterns(files: Iterable[str]) -> list[str]:
    return [pattern for file in files for pattern in read_exclude_file(Path(file))]
