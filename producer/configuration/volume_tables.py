"""Reads ``[volumes.NAME]`` and ``[schedules.NAME]``, which name what other tables define."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from producer.configuration.one_table import Flaw, read_table, tables_in
from producer.configuration.tables import DEVICE_NAME, RetentionTable, ScheduleTable, VolumeTable
from producer.configuration.values.ages import parse_age
from producer.configuration.values.spans import parse_span
from tasks.errors import UsageError

#: What makes of a source a path, for names have no slash.
_PATHS = ("/", "~", "./", "../")


class Volumes:
    """``absolute`` makes a path absolute; it gets its keys too, for its errors.  All methods raise Flaw."""

    def __init__(self, document: dict[str, Any], absolute: Callable[[str, tuple[str, ...]], str]) -> None:
        self._document = document
        self._absolute = absolute

    def read(self) -> dict[str, VolumeTable]:
        tables = tables_in(self._document.get("volumes", {}), "volumes")
        return {
            name: self._volume(table, ("volumes", _checked_name(name, "volumes"))) for name, table in tables.items()
        }

    def _volume(self, table: Any, keys: tuple[str, ...]) -> VolumeTable:
        if isinstance(table, dict) and "retention" in table:
            _check_retention(table["retention"], (*keys, "retention"))
        read = read_table(table, keys, VolumeTable)
        _check_age(read.max_age, (*keys, "max-age"))
        for device in read.devices:
            self._check_known(device, "devices", (*keys, "devices"))
        return msgspec.structs.replace(
            read,
            sources=tuple(self._source(source, (*keys, "sources")) for source in read.sources),
            exclude_file=tuple(self._absolute(path, (*keys, "exclude-file")) for path in read.exclude_file),
            require_mount=tuple(self._absolute(path, (*keys, "require-mount")) for path in read.require_mount),
        )

    def _source(self, source: str, keys: tuple[str, ...]) -> str:
        if source.startswith(_PATHS) or source in (".", ".."):
            return self._absolute(source, keys)
        self._check_known(source, "sources", keys)
        return source

    def _check_known(self, name: str, section: str, keys: tuple[str, ...]) -> None:
        known = self._document.get(section, {})
        if name not in known:
            also = f", or ./{name} for a folder beside this file" if section == "sources" else ""
            names = ", ".join(sorted(known)) or "none"
            raise Flaw(keys, f"{'.'.join(keys)}: there is no [{section}.{name}]", hint=f"{section} here: {names}{also}")


def schedules(document: dict[str, Any]) -> dict[str, ScheduleTable]:
    """The schedules, each with its volume if it has one; raises Flaw for one whose volume has no sources."""
    found = {}
    for name, table in tables_in(document.get("schedules", {}), "schedules").items():
        keys = ("schedules", _checked_name(name, "schedules"))
        read = read_table(table, keys, ScheduleTable)
        if read.check or read.prune:
            _refuse_both(read, keys)
            found[name] = read
            continue
        volume = read.volume or name
        if not _has_sources(document, volume):
            raise Flaw(
                (*keys, "volume"),
                f"{'.'.join(keys)}: volume {volume} has no sources",
                hint=f"add sources to [volumes.{volume}], or a [sources.{volume}]",
            )
        found[name] = msgspec.structs.replace(read, volume=volume)
    return found


def _refuse_both(table: ScheduleTable, keys: tuple[str, ...]) -> None:
    """A check and a prune are of all volumes, and each has its own schedule."""
    if (table.check and table.prune) or table.volume:
        raise Flaw(keys, f"{'.'.join(keys)}: it must be for a volume, a check or a prune", hint="make two schedules")
    if table.prune and (table.read_data or table.read_data_subset):
        raise Flaw(keys, f"{'.'.join(keys)}: a prune reads no data", hint="leave read-data out")


def _has_sources(document: dict[str, Any], volume: str) -> bool:
    table = document.get("volumes", {}).get(volume, {})
    return bool(table.get("sources")) or volume in document.get("sources", {})


def _checked_name(name: str, section: str) -> str:
    if not DEVICE_NAME.fullmatch(name):
        keys = (section, name)
        raise Flaw(keys, f"{'.'.join(keys)}: not a valid name", "use letters, digits, '-' and '_'")
    return name


def _check_retention(table: Any, keys: tuple[str, ...]) -> None:
    read = read_table(table, keys, RetentionTable)
    for name, value in table.items():
        if name.startswith("keep-within"):
            _check_span(value, (*keys, name))
    rules = [value for name, value in msgspec.structs.asdict(read).items() if name != "prune"]
    if not any(parse_span(rule) if isinstance(rule, str) and rule != "unlimited" else rule for rule in rules):
        raise Flaw(keys, f"{'.'.join(keys)}: this keeps nothing", hint="give at least one keep rule more than 0")


def _check_span(span: str, keys: tuple[str, ...]) -> None:
    try:
        parse_span(span)
    except UsageError as error:
        raise Flaw(keys, f"{'.'.join(keys)}: {error.message}", error.hint) from error


def _check_age(age: str | None, keys: tuple[str, ...]) -> None:
    try:
        if age is not None:
            parse_age(age)
    except UsageError as error:
        raise Flaw(keys, f"{'.'.join(keys)}: {error.message}", error.hint) from error
