"""Reads the configuration file.  Each fault names the file, the line and the key."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from producer.configuration.homes import from_home
from producer.configuration.one_table import Flaw, read_table, refuse_unknown_keys, tables_in
from producer.configuration.tables import (
    DEVICE_NAME,
    SOURCE_NAME,
    BrokerTable,
    CatalogTable,
    Configuration,
    DefaultsTable,
    DeviceTable,
    NotifyTable,
    SourceTable,
    TargetTable,
)
from producer.configuration.toml_lines import line_of
from producer.configuration.volume_tables import Volumes, schedules
from producer.host.trusted import check_trusted
from tasks.errors import UsageError

Located = TypeVar("Located", DeviceTable, SourceTable, TargetTable)

MAX_FILE_BYTES = 16 * 2**20


def read_configuration(path: Path) -> Configuration:
    """The configuration in ``path``, with paths made absolute (relative ones start at the file's folder).

    Raises UsageError that names file, line and key, also for a file that somebody else owns or can write.
    """
    try:
        with path.open("rb") as file:
            check_trusted(path, os.fstat(file.fileno()), "the configuration")
            text = file.read(MAX_FILE_BYTES).decode()
    except OSError as error:
        raise UsageError(
            f"cannot read the configuration {path}: {error.strerror}", hint="check --config and SEGFLEET_CONFIG"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}", hint="TOML files are UTF-8") from error
    return parse_configuration(text, path)


def parse_configuration(text: str, path: Path) -> Configuration:
    """As :func:`read_configuration`, from the file's text; ``path`` gives its name and its folder."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: invalid TOML: {error}", hint="see docs/configuration.md") from error
    try:
        return _Reader(path.parent).configuration(document)
    except Flaw as flaw:
        where = f"{path}:{line_of(text, flaw.keys)}"
        raise UsageError(f"{where}: {flaw.message}", hint=flaw.hint) from flaw


class _Reader:
    """Turns what ``tomllib`` read into a Configuration, table by table; raises Flaw."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def configuration(self, document: dict[str, Any]) -> Configuration:
        refuse_unknown_keys(document, (), Configuration)
        return Configuration(
            broker=self._broker(document),
            catalog=read_table(document.get("catalog", {}), ("catalog",), CatalogTable),
            devices=self._named(document, "devices", DeviceTable, DEVICE_NAME, "letters, digits, '-' and '_'"),
            sources=self._named(document, "sources", SourceTable, SOURCE_NAME, "any characters except '/'"),
            targets=self._named(document, "targets", TargetTable, SOURCE_NAME, "any characters except '/'"),
            volumes=Volumes(document, self._absolute).read(),
            schedules=schedules(document),
            notify=read_table(document.get("notify", {}), ("notify",), NotifyTable),
            defaults=read_table(document.get("defaults", {}), ("defaults",), DefaultsTable),
        )

    def _broker(self, document: dict[str, Any]) -> BrokerTable:
        table = read_table(document.get("broker", {}), ("broker",), BrokerTable)
        if table.ssl_ca_certs is None:
            return table
        absolute = self._absolute(table.ssl_ca_certs, ("broker", "ssl_ca_certs"))
        return msgspec.structs.replace(table, ssl_ca_certs=absolute)

    def _named(
        self, document: dict[str, Any], section: str, cls: type[Located], names: re.Pattern[str], made_of: str
    ) -> dict[str, Located]:
        found = {}
        for name, table in tables_in(document.get(section, {}), section).items():
            keys = (section, name)
            if not names.fullmatch(name):
                raise Flaw(keys, f"{'.'.join(keys)}: not a valid name", hint=f"use {made_of}")
            value = read_table(table, keys, cls)
            if value.path is not None:
                absolute = self._absolute(value.path, (section, name, "path"))
                value = msgspec.structs.replace(value, path=absolute)
            found[name] = value
        return found

    def _absolute(self, path: str, keys: tuple[str, ...]) -> str:
        try:
            return os.path.abspath(self._folder / from_home(path))
        except UsageError as error:
            raise Flaw(keys, f"{'.'.join(keys)}: {error.message}", error.hint) from error
