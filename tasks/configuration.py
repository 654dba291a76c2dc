"""The configuration file: ``segfleet.toml`` (``docs/configuration.md``).

What a file may hold is what the classes below have; a key that none of them has is an error that names
the file, the line and the nearest known key.  Command-line flags and the environment come before it.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from platformdirs import user_config_path

from tasks.errors import UsageError
from tasks.sizes import parse_size

CONFIG_VARIABLE = "SEGFLEET_CONFIG"
FILE_NAME = "segfleet.toml"


class _Table(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """One TOML table.  Keys are the field names with ``-`` for ``_``."""


class BrokerTable(_Table):
    #: redis://, rediss:// or redis+socket:// URL; None: the private server of the state folder.
    url: str | None = None


class CatalogTable(_Table):
    #: SQLAlchemy URL; None: the SQLite file of the state folder.
    url: str | None = None


class DeviceTable(_Table):
    path: str
    #: Speed relative to the other devices, for ``--balance weight``.
    weight: Annotated[float, Meta(ge=0.001, le=1000)] = 1.0
    #: Room to leave free: a size, or a share such as "2%".  None: the plan's default.
    reserve: str | None = None


class SourceTable(_Table):
    path: str
    #: gitignore patterns, as ``--exclude``.
    exclude: tuple[str, ...] = ()


class DefaultsTable(_Table):
    """Defaults of command-line options, under the options' names."""

    split: Literal["threshold", "remaining"] | None = None
    order: Literal["descending", "ascending"] | None = None
    bundle: Literal["on", "off"] | None = None
    balance: Literal["run", "free", "weight"] | None = None
    reserve: str | None = None
    level: Annotated[int, Meta(ge=-7, le=22)] | None = None
    threads: Annotated[int, Meta(ge=1, le=256)] | None = None
    unit_size: str | None = None
    segment_size: str | None = None
    retries: Annotated[int, Meta(ge=0, le=100)] | None = None
    exclude_caches: bool | None = None
    one_file_system: bool | None = None

    def given(self) -> dict[str, Any]:
        """Option name (with ``_``) → value, for the keys that the file has."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class Configuration(_Table):
    """All of the file; paths are as written there, see :func:`located`."""

    broker: BrokerTable = BrokerTable()
    catalog: CatalogTable = CatalogTable()
    devices: dict[Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")], DeviceTable] = {}
    sources: dict[Annotated[str, Meta(pattern=r"^[^/\x00]{1,255}$")], SourceTable] = {}
    defaults: DefaultsTable = DefaultsTable()


def find_configuration(flag: str | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """The file to read: ``flag``, else ``$SEGFLEET_CONFIG``, else ``folder``'s, else the user's; None if there is none.

    A file that was asked for by flag or variable is returned whether it exists or not.
    """
    asked = flag or environment.get(CONFIG_VARIABLE)
    if asked:
        return Path(asked).expanduser()
    candidates = (folder / FILE_NAME, user_config_path("segfleet") / FILE_NAME)
    return next((path for path in candidates if path.is_file()), None)


def read_configuration(path: Path) -> Configuration:
    """The configuration in ``path``, with paths made absolute (relative ones start at the file's folder).

    Raises UsageError that names file, line and key.
    """
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}", hint="see --config") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}", hint="TOML files are UTF-8") from error
    return parse_configuration(text, path)


def parse_configuration(text: str, path: Path) -> Configuration:
    """As :func:`read_configuration`, from the file's text; ``path`` gives names and the folder."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}", hint="see docs/configuration.md") from error
    _refuse_unknown_keys(document, text, path)
    try:
        configuration = msgspec.convert(document, Configuration)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at ")
        keys = tuple(re.findall(r"[^.$`\[\]]+", where))
        raise UsageError(f"{path}:{line_of(text, keys)}: {'.'.join(keys)}: {message}", hint="") from error
    _check_sizes(configuration, text, path)
    return located(configuration, path.parent)


def located(configuration: Configuration, folder: Path) -> Configuration:
    """``configuration`` with the paths of devices and sources absolute; ``~`` is the user's home."""

    def absolute(path: str) -> str:
        return os.path.abspath(folder / Path(path).expanduser())

    replace = msgspec.structs.replace
    return replace(
        configuration,
        devices={name: replace(table, path=absolute(table.path)) for name, table in configuration.devices.items()},
        sources={name: replace(table, path=absolute(table.path)) for name, table in configuration.sources.items()},
    )


def line_of(text: str, keys: tuple[str, ...]) -> int:
    """The line, from 1, where the key path ``keys`` is set in a TOML text; that of its table, or 1, failing that."""
    wanted, table, best = ".".join(keys), "", 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[+([^\]]+)\]", line)
        setting = re.match(r"\s*([^=#\[]+?)\s*=", line)
        if header:
            table = _bare(header[1])
            found = table
        elif setting:
            found = f"{table}.{_bare(setting[1])}".lstrip(".")
        else:
            continue
        if found == wanted:
            return number
        if wanted.startswith(found + "."):
            best = number
    return best


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _refuse_unknown_keys(document: dict[str, Any], text: str, path: Path) -> None:
    for keys, table, cls in _tables(document):
        allowed = [field.encode_name for field in msgspec.structs.fields(cls)]
        for key in table if isinstance(table, dict) else ():
            if key not in allowed:
                raise _unknown_key((*keys, key), allowed, text, path)


def _tables(document: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any, type[_Table]]]:
    """Every table that a file may hold, as it stands there: its key path, its content, its class."""
    yield (), document, Configuration
    for section, single in (("broker", BrokerTable), ("catalog", CatalogTable), ("defaults", DefaultsTable)):
        yield (section,), document.get(section), single
    for section, many in (("devices", DeviceTable), ("sources", SourceTable)):
        named = document.get(section)
        for name, table in named.items() if isinstance(named, dict) else ():
            yield (section, name), table, many


def _unknown_key(keys: tuple[str, ...], allowed: list[str], text: str, path: Path) -> UsageError:
    where = f" in [{'.'.join(keys[:-1])}]" if len(keys) > 1 else ""
    near = difflib.get_close_matches(keys[-1], allowed, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(sorted(allowed))}"
    return UsageError(f"{path}:{line_of(text, keys)}: unknown key {keys[-1]!r}{where}", hint=hint)


def _check_sizes(configuration: Configuration, text: str, path: Path) -> None:
    for key in ("unit-size", "segment-size"):
        value = getattr(configuration.defaults, key.replace("-", "_"))
        if value is None:
            continue
        try:
            parse_size(value)
        except UsageError as error:
            line = line_of(text, ("defaults", key))
            raise UsageError(f"{path}:{line}: defaults.{key}: {error.message}", hint=error.hint) from error
