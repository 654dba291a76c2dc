"""The configuration file: ``segfleet.toml`` (``docs/configuration.md``).

The classes below say which keys a file may have.  An unknown key is an error that names the file, the line and the
nearest known key.  Command-line flags and the environment override the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tasks.values import SiteName

DEVICE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
SOURCE_NAME = re.compile(r"[^/\x00]{1,255}")


class Table(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """One TOML table.  Keys are the field names with ``-`` for ``_``."""


class BrokerTable(Table, frozen=True, kw_only=True):
    #: redis://, rediss:// or redis+socket:// URL; None: the private server of the state folder.
    url: str | None = None
    #: Of a rediss:// server: a file with the certificates of those who may have signed its own; None: the system's.
    #: Called as the parameter of the URL is.
    ssl_ca_certs: str | None = msgspec.field(default=None, name="ssl_ca_certs")
    #: Accept any certificate: anyone in between can pose as the broker.
    insecure_skip_verify: bool = False


class CatalogTable(Table, frozen=True, kw_only=True):
    #: SQLAlchemy URL; None: the SQLite file of the state folder.
    url: str | None = None


class DeviceTable(Table, frozen=True, kw_only=True):
    #: The folder on this host.  None: agents on other hosts serve the device.
    path: str | None = None
    #: Speed relative to the other devices, for ``--balance weight``.
    weight: Annotated[float, Meta(ge=0.001, le=1000)] = 1.0
    #: Space to leave free, a size.  None: the plan's default.
    reserve: str | None = None
    #: Write and read no faster than this size per second.  None: as fast as the disk allows.
    max_rate: str | None = None
    #: Where it stands, such as "cellar": what strikes one device there may strike the others.
    site: SiteName | None = None
    #: Its worker deletes nothing, no matter who asks: forget and prune say what waits there.
    append_only: bool = False
    #: It comes and goes: a backup of what needs it while it is away is whole all the same.
    rotating: bool = False
    #: For benchmarks: keep manifests but discard segments.
    discard: bool = False


class SourceTable(Table, frozen=True, kw_only=True):
    path: str
    #: gitignore patterns, as ``--exclude``.
    exclude: tuple[str, ...] = ()


class TargetTable(Table, frozen=True, kw_only=True):
    """A folder that the fleet restores into; an agent writes only below those in its own configuration."""

    path: str


class StoringTable(Table, frozen=True, kw_only=True):
    """Options of a backup, under the options' names."""

    copies: Annotated[int, Meta(ge=1, le=16)] | None = None
    parity: Annotated[int, Meta(ge=0, le=4)] | None = None
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


class DefaultsTable(StoringTable, frozen=True, kw_only=True):
    """Defaults of command-line options, under the options' names."""

    #: For all commands that a manager can carry out.
    manager: str | None = None

    def given(self) -> dict[str, Any]:
        """Option name (with ``_``) → value, for the keys that the file has."""
        return _given(self, self.__struct_fields__)


Count = Annotated[int, Meta(ge=0, lt=2**31)] | Literal["unlimited"]


class RetentionTable(Table, frozen=True, kw_only=True):
    """Which snapshots of a volume are kept, under the names of the options of ``forget``."""

    keep_last: Count | None = None
    keep_hourly: Count | None = None
    keep_daily: Count | None = None
    keep_weekly: Count | None = None
    keep_monthly: Count | None = None
    keep_yearly: Count | None = None
    #: Spans of the calendar: "1y5m7d2h".
    keep_within: str | None = None
    keep_within_hourly: str | None = None
    keep_within_daily: str | None = None
    keep_within_weekly: str | None = None
    keep_within_monthly: str | None = None
    keep_within_yearly: str | None = None
    keep_tag: tuple[str, ...] = ()
    #: Whether a scheduled backup frees the space of what it has forgotten.
    prune: bool = False


class VolumeOptions(StoringTable, frozen=True, kw_only=True):
    """Options that mean something for one volume only."""

    all_blocks: bool | None = None
    freeze: bool | None = None
    expect_ratio: Annotated[float, Meta(ge=0.5, le=10_000)] | None = None
    ignore_ctime: bool | None = None
    ignore_inode: bool | None = None
    skip_if_unchanged: bool | None = None
    allow_empty: bool | None = None


class VolumeTable(VolumeOptions, frozen=True, kw_only=True):
    """What a backup of one volume takes, and how.  Lists are added to those of the command line."""

    #: Names of ``[sources.NAME]``, and absolute paths.
    sources: tuple[str, ...] = ()
    #: Names of ``[devices.NAME]``; empty: all of them.
    devices: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    iexclude: tuple[str, ...] = ()
    exclude_file: tuple[str, ...] = ()
    exclude_if_present: tuple[str, ...] = ()
    ignore_file: tuple[str, ...] = ()
    require_mount: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    #: How old its last whole backup may be, an age, before it counts as overdue.
    max_age: str | None = None
    #: Shell commands around the backup.
    pre: str = ""
    post: str = ""
    #: After the backup, by how it ended.
    on_success: str = ""
    on_partial: str = ""
    on_failure: str = ""
    #: How long each of them may take.
    hook_limit_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0
    #: What ``forget`` keeps of it, and a scheduled backup; None: everything.
    retention: RetentionTable | None = None

    def given(self) -> dict[str, Any]:
        """Option name (with ``_``) → value, for the options that the table has; lists are not among them."""
        return _given(self, VolumeOptions.__struct_fields__)


class NotifyTable(Table, frozen=True, kw_only=True):
    """Whom to tell when something goes wrong, and when it is well again.  URLs may hold passwords."""

    on: tuple[Literal["failed", "partial", "device", "overdue", "damaged", "recovered"], ...] = (
        *("failed", "partial", "device", "overdue", "damaged", "recovered"),
    )
    #: smtp://user:password@host:587 or smtps://…; None: no mail.
    smtp: str | None = None
    mail_from: str = ""
    mail_to: tuple[str, ...] = ()
    #: Of apprise.
    urls: tuple[str, ...] = ()
    #: Asked at the beginning and the end of each backup.
    health_check: str | None = None


class ScheduleTable(Table, frozen=True, kw_only=True):
    """When a volume is backed up, or all are checked or pruned: then it has no volume."""

    cron: str
    #: "": the volume that is called as the schedule is.
    volume: str = ""
    #: IANA name; None: this machine's.
    timezone: str | None = None
    if_missed: Literal["catch-up", "skip"] = "catch-up"
    if_busy: Literal["queue", "skip"] = "queue"
    check: bool = False
    #: Of a check: how much it reads.
    read_data: bool = False
    read_data_subset: str | None = None
    prune: bool = False


def _given(table: Table, names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(table, name)) is not None}


class Configuration(Table, frozen=True, kw_only=True):
    """The whole file, with absolute paths, and each schedule with its volume."""

    broker: BrokerTable = BrokerTable()
    catalog: CatalogTable = CatalogTable()
    devices: dict[str, DeviceTable] = {}
    sources: dict[str, SourceTable] = {}
    targets: dict[str, TargetTable] = {}
    volumes: dict[str, VolumeTable] = {}
    schedules: dict[str, ScheduleTable] = {}
    notify: NotifyTable = NotifyTable()
    defaults: DefaultsTable = DefaultsTable()
