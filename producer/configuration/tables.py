"""The configuration file: ``segfleet.toml`` (``docs/configuration.md``).

The classes below say which keys a file may have.  An unknown key is an error that names the file, the line and the
nearest known key.  Command-line flags and the environment override the file.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta
from platformdirs import user_config_path

from producer.configuration.homes import from_home
from producer.configuration.sizes import format_size, parse_size
from producer.configuration.toml_lines import line_of
from producer.configuration.wrong_values import in_words
from producer.host.trusted import check_trusted
from tasks.errors import UsageError

#: Keys whose values are sizes, in any table, and the smallest useful size.  Below 1 KiB per second a backup would seem
#: to hang.
_SMALLEST_BYTES = {"max-rate": 1024, "reserve": 0, "segment-size": 0, "unit-size": 0}

DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
SOURCE_NAME = re.compile(r"[^/\x00]{1,255}")

CONFIG_VARIABLE = "SEGFLEET_CONFIG"
FILE_NAME = "segfleet.toml"
SYSTEM_FOLDER = Path("/etc/segfleet")
MAX_FILE_BYTES = 16 * 2**20


class _Table(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """One TOML table.  Keys are the field names with ``-`` for ``_``."""


Table = TypeVar("Table", bound=_Table)


class BrokerTable(_Table, frozen=True, kw_only=True):
    #: redis://, rediss:// or redis+socket:// URL; None: the private server of the state folder.
    url: str | None = None
    #: Of a rediss:// server: a file with the certificates of those who may have signed its own; None: the system's.
    #: Called as the parameter of the URL is.
    ssl_ca_certs: str | None = msgspec.field(default=None, name="ssl_ca_certs")
    #: Accept any certificate: whoever is between can pose as the broker.
    insecure_skip_verify: bool = False


class CatalogTable(_Table, frozen=True, kw_only=True):
    #: SQLAlchemy URL; None: the SQLite file of the state folder.
    url: str | None = None


class DeviceTable(_Table, frozen=True, kw_only=True):
    #: The folder on this host.  None: agents on other hosts serve the device.
    path: str | None = None
    #: Speed relative to the other devices, for ``--balance weight``.
    weight: Annotated[float, Meta(ge=0.001, le=1000)] = 1.0
    #: Space to leave free, a size.  None: the plan's default.
    reserve: str | None = None
    #: Write and read no faster than this size per second.  None: as fast as the disk allows.
    max_rate: str | None = None
    #: For benchmarks: keep manifests but discard segments.
    discard: bool = False


class SourceTable(_Table, frozen=True, kw_only=True):
    path: str
    #: gitignore patterns, as ``--exclude``.
    exclude: tuple[str, ...] = ()


class VolumeTable(_Table, frozen=True, kw_only=True):
    """Shell commands around the backup of one volume."""

    pre: str = ""
    post: str = ""
    #: How long each of the two may take.
    hook_limit_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0


class TargetTable(_Table, frozen=True, kw_only=True):
    """A folder that the fleet restores into; an agent writes only below those in its own configuration."""

    path: str


Located = TypeVar("Located", DeviceTable, SourceTable, TargetTable)


class DefaultsTable(_Table, frozen=True, kw_only=True):
    """Defaults of command-line options, under the options' names."""

    split: Literal["threshold", "remaining"] | None = None
    order: Literal["descending", "ascending"] | None = None
    bundle: Literal["on", "off"] | None = None
    balance: Literal["run", "free", "weight"] | None = None
    reserve: str | None = None
    level: Annotated[int, Meta(ge=-7, le=22)] | None = None
    threads: Annotated[int, Meta(ge=1, le=256)] | None = None
    readers: Annotated[int, Meta(ge=1, le=256)] | None = None
    nice: Annotated[int, Meta(ge=0, le=19)] | None = None
    unit_size: str | None = None
    segment_size: str | None = None
    retries: Annotated[int, Meta(ge=0, le=100)] | None = None
    mode: Literal["auto", "files", "raw"] | None = None
    raw_above: Annotated[int, Meta(ge=1)] | None = None
    new_devices: bool | None = None
    exclude_larger_than: str | None = None
    exclude_nodump: bool | None = None
    exclude_caches: bool | None = None
    one_file_system: bool | None = None
    no_xattrs: bool | None = None
    spool: str | None = None
    spool_size: str | None = None
    #: For all commands that a manager can carry out.
    manager: str | None = None

    def given(self) -> dict[str, Any]:
        """Option name (with ``_``) → value, for the keys that the file has."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}


class Configuration(_Table, frozen=True, kw_only=True):
    """The whole file, with absolute paths."""

    broker: BrokerTable = BrokerTable()
    catalog: CatalogTable = CatalogTable()
    devices: dict[str, DeviceTable] = {}
    sources: dict[str, SourceTable] = {}
    targets: dict[str, TargetTable] = {}
    volumes: dict[str, VolumeTable] = {}
    defaults: DefaultsTable = DefaultsTable()


def find_configuration(flag: str | None, environment: Mapping[str, str], folder: Path | None) -> Path | None:
    """The file to read: ``flag``, else ``$SEGFLEET_CONFIG``, else ``folder``'s, else the user's, else the system's.

    None if there is none, and ``folder`` is None if the working folder cannot be entered.

    A file named by flag or variable is returned even if it does not exist; raises UsageError if it starts with the home
    folder of an unknown user.
    """
    asked = flag or environment.get(CONFIG_VARIABLE)
    if asked:
        return _asked_for(asked, "--config" if flag else CONFIG_VARIABLE)
    folders = (folder, user_config_path("segfleet"), SYSTEM_FOLDER)
    candidates = (place / FILE_NAME for place in folders if place is not None)
    return next((path for path in candidates if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    """False too in a folder that may not be entered."""
    try:
        return path.is_file()
    except OSError:
        return False


def _asked_for(asked: str, where: str) -> Path:
    try:
        return from_home(asked)
    except UsageError as error:
        raise UsageError(f"{where}={error.message}", hint=error.hint, path=asked) from error


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
    except _Flaw as flaw:
        where = f"{path}:{line_of(text, flaw.keys)}"
        raise UsageError(f"{where}: {flaw.message}", hint=flaw.hint) from flaw


class _Flaw(Exception):
    """What is wrong with the value at a key path.  Stays within this module."""

    def __init__(self, keys: tuple[str, ...], message: str, hint: str = "") -> None:
        super().__init__(message)
        self.keys = keys
        self.message = message
        self.hint = hint


class _Reader:
    """Turns what ``tomllib`` read into a Configuration, table by table; raises _Flaw."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def configuration(self, document: dict[str, Any]) -> Configuration:
        _refuse_unknown_keys(document, (), Configuration)
        return Configuration(
            broker=self._broker(document),
            catalog=_table(document.get("catalog", {}), ("catalog",), CatalogTable),
            devices=self._named(document, "devices", DeviceTable, DEVICE_NAME, "letters, digits, '-' and '_'"),
            sources=self._named(document, "sources", SourceTable, SOURCE_NAME, "any characters except '/'"),
            targets=self._named(document, "targets", TargetTable, SOURCE_NAME, "any characters except '/'"),
            volumes=self._volumes(document),
            defaults=_table(document.get("defaults", {}), ("defaults",), DefaultsTable),
        )

    def _broker(self, document: dict[str, Any]) -> BrokerTable:
        table = _table(document.get("broker", {}), ("broker",), BrokerTable)
        if table.ssl_ca_certs is None:
            return table
        absolute = self._absolute(table.ssl_ca_certs, ("broker", "ssl_ca_certs"))
        return msgspec.structs.replace(table, ssl_ca_certs=absolute)

    def _volumes(self, document: dict[str, Any]) -> dict[str, VolumeTable]:
        found = {}
        for name, table in _tables_in(document.get("volumes", {}), "volumes").items():
            keys = ("volumes", name)
            if not DEVICE_NAME.fullmatch(name):
                raise _Flaw(keys, f"{'.'.join(keys)}: not a valid name", "use letters, digits, '-' and '_'")
            found[name] = _table(table, keys, VolumeTable)
        return found

    def _named(
        self, document: dict[str, Any], section: str, cls: type[Located], names: re.Pattern[str], made_of: str
    ) -> dict[str, Located]:
        found = {}
        for name, table in _tables_in(document.get(section, {}), section).items():
            keys = (section, name)
            if not names.fullmatch(name):
                raise _Flaw(keys, f"{'.'.join(keys)}: not a valid name", hint=f"use {made_of}")
            value = _table(table, keys, cls)
            if value.path is not None:
                absolute = self._absolute(value.path, (section, name, "path"))
                value = msgspec.structs.replace(value, path=absolute)
            found[name] = value
        return found

    def _absolute(self, path: str, keys: tuple[str, ...]) -> str:
        try:
            return os.path.abspath(self._folder / from_home(path))
        except UsageError as error:
            raise _Flaw(keys, f"{'.'.join(keys)}: {error.message}", error.hint) from error


def _tables_in(value: Any, section: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Flaw((section,), f"{section}: must be a table", hint=f"write [{section}.NAME]")
    return value


def _table(value: Any, keys: tuple[str, ...], cls: type[Table]) -> Table:
    """The table at ``keys`` as an instance of ``cls``."""
    if isinstance(value, dict):
        _refuse_unknown_keys(value, keys, cls)
        _check_sizes(value, keys)
        _refuse_nul(value, keys)
    try:
        return msgspec.convert(value, cls)
    except msgspec.ValidationError as error:
        message, _, inside = str(error).partition(" - at `$.")
        at = (*keys, *re.findall(r"[\w-]+", inside)[:1])
        raise _Flaw(at, f"{'.'.join(at)}: {in_words(message)}", _choices(at, cls)) from error


def _choices(keys: tuple[str, ...], cls: type[_Table]) -> str:
    """What the key accepts, as a hint; "" unless it is one of a few words."""
    hint = get_type_hints(cls).get(keys[-1].replace("-", "_"))
    words = [word for part in get_args(hint) if get_origin(part) is Literal for word in get_args(part)]
    return f"use {', '.join(words[:-1])} or {words[-1]}" if words else ""


def _refuse_unknown_keys(table: dict[str, Any], keys: tuple[str, ...], cls: type[_Table]) -> None:
    known = [field.encode_name for field in msgspec.structs.fields(cls)]
    unknown = next((key for key in table if key not in known), None)
    if unknown is None:
        return
    near = difflib.get_close_matches(unknown, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
    raise _Flaw((*keys, unknown), f"unknown key {unknown!r}" + (f" in [{'.'.join(keys)}]" if keys else ""), hint)


def _refuse_nul(table: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Paths, URLs and commands end up in system calls, which accept no NUL."""
    for key, value in table.items():
        if isinstance(value, str) and "\0" in value:
            raise _Flaw(
                (*keys, key), f"{'.'.join((*keys, key))}: {value!r} contains a NUL character", hint="remove the \\u0000"
            )


def _check_sizes(table: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in _SMALLEST_BYTES.keys() & table.keys():
        where = ".".join((*keys, key))
        try:
            size_bytes = parse_size(str(table[key]))
        except UsageError as error:
            raise _Flaw((*keys, key), f"{where}: {error.message}", error.hint) from error
        if size_bytes < _SMALLEST_BYTES[key]:
            hint = f"give at least {format_size(_SMALLEST_BYTES[key])}, or leave {key} out"
            raise _Flaw((*keys, key), f"{where}: {table[key]!r} is too small", hint)
