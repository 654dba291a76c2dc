"""What has to be looked at before a configuration can be judged: folders, the broker, the catalog, cron lines."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.configuration.tables import Configuration
from producer.host.scouting.looks import SilentError, look_at_each
from tasks.errors import SegfleetError

#: What is at a path.
Kind = Literal["folder", "other", "nothing", "silent"]


class Facts(Struct, frozen=True, kw_only=True):
    kinds: Mapping[str, Kind]
    #: The devices that agents serve; None without a broker.
    served: frozenset[str] | None
    #: Why the broker, or the catalog, does not answer; "" if it does.
    broker_trouble: str
    catalog_trouble: str
    #: Volumes that reservations back up.
    reserved: frozenset[str]
    #: Schedule → why it never fires.
    schedule_troubles: Mapping[str, str]


def gather(call: Call) -> Facts:
    served, broker_trouble = _served(call)
    reserved, catalog_trouble = _reserved(call)
    return Facts(
        kinds=_kinds(call.configuration),
        served=served,
        broker_trouble=broker_trouble,
        catalog_trouble=catalog_trouble,
        reserved=reserved,
        schedule_troubles=_schedule_troubles(call.configuration),
    )


def _kinds(configuration: Configuration) -> dict[str, Kind]:
    devices = [table.path for table in configuration.devices.values() if table.path is not None]
    sources = [table.path for table in configuration.sources.values()]
    targets = [table.path for table in configuration.targets.values()]
    volumes = [
        path
        for table in configuration.volumes.values()
        for path in (*table.sources, *table.exclude_file, *table.require_mount)
        if path.startswith("/")
    ]
    seen = look_at_each({path: Path(path) for path in (*devices, *sources, *targets, *volumes)}, _kind)
    return {path: "silent" if isinstance(kind, SilentError) else kind for path, kind in seen.items()}


def _kind(path: Path) -> Kind:
    try:
        return "folder" if stat.S_ISDIR(path.stat().st_mode) else "other"
    except OSError:
        return "nothing"


def _served(call: Call) -> tuple[frozenset[str] | None, str]:
    try:
        url = call.broker_url
        if url is None:
            return None, ""
        # The imports of the broker take a third of a second.
        from producer.monitor.fleet import fleet_status

        found = fleet_status(url)
    except SegfleetError as error:
        return frozenset(), error.message
    return frozenset(lease.device for lease in found.leases), "" if found.is_broker_up else "it does not answer"


def _reserved(call: Call) -> tuple[frozenset[str], str]:
    try:
        with opened_catalog(call) as catalog:
            return frozenset(row.volume for row in catalog.reservations.all() if row.volume), ""
    except SegfleetError as error:
        return frozenset(), error.message


def _schedule_troubles(configuration: Configuration) -> dict[str, str]:
    from producer.schedule.timetable import Timetable, local_zone

    found = {}
    for name, table in configuration.schedules.items():
        try:
            Timetable(table.cron, table.timezone or local_zone())
        except SegfleetError as error:
            found[name] = f"{error.message}; {error.hint}" if error.hint else error.message
    return found
