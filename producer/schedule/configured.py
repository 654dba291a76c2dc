"""The schedules of the configuration, as reservations in the catalog: added, changed and removed as the file says.

Any process may do so at any time, and several at once: a schedule has the same id for all of them.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import ReservationRow
from producer.configuration.tables import ScheduleTable
from producer.host.scouting.looks import SilentError, look
from producer.schedule.asked import Asked, Kind, configuration_of
from producer.schedule.belongs import belongs_here
from producer.schedule.timetable import Timetable, local_zone
from tasks.errors import UsageError

#: What the file says of a reservation.
_FROM_FILE = ("volume", "cron", "timezone", "if_missed", "if_busy", "request")


class Changes(Struct, frozen=True, kw_only=True):
    added: tuple[ReservationRow, ...]
    #: As they become.
    changed: tuple[ReservationRow, ...]
    removed: tuple[ReservationRow, ...]


def follow(
    catalog: Catalog,
    schedules: Mapping[str, ScheduleTable],
    file: str,
    *,
    manager: str,
    note: Callable[[str], None],
) -> None:
    """Make the reservations of ``file`` what its ``schedules`` say; ``manager``: who runs them, "" for this host.

    Those of files that are gone are removed.  ``note`` gets a schedule that never fires, or whose time zone is unknown;
    it stays as it was.
    """
    configured = [
        row for row in catalog.reservations.all() if configuration_of(row) and belongs_here(row, manager=manager)
    ]
    rows = [row for row in configured if configuration_of(row) == file]
    for row in configured:
        if configuration_of(row) != file and is_gone(configuration_of(row)):
            catalog.reservations.remove(row.reservation_id)
    wanted = [
        _row(name, table, file, manager=manager if catalog.is_shared else "", host=catalog.is_shared and not manager)
        for name, table in schedules.items()
    ]
    changes = changes_between(rows, wanted, datetime.now(UTC), note)
    for row in changes.added:
        catalog.reservations.add_if_absent(row)
    for row in changes.changed:
        catalog.reservations.change(row, next_due=row.next_due, **{name: getattr(row, name) for name in _FROM_FILE})
    for row in changes.removed:
        catalog.reservations.remove(row.reservation_id)


def changes_between(
    rows: list[ReservationRow], wanted: list[ReservationRow], now: datetime, note: Callable[[str], None]
) -> Changes:
    """What to do so that ``rows`` become those that are ``wanted``.  Pure."""
    known, added, changed = {row.reservation_id: row for row in rows}, [], []
    for row in wanted:
        old = known.get(row.reservation_id)
        if old is not None and all(getattr(old, name) == getattr(row, name) for name in _FROM_FILE):
            continue
        try:
            new = replace(row, next_due=Timetable(row.cron, row.timezone).next_after(now))
        except UsageError as error:
            note(f"schedule {row.request['schedule']}: {error.message}" + (f"; {error.hint}" if error.hint else ""))
            continue
        if old is None:
            added.append(new)
        else:
            is_due_as_before = (old.cron, old.timezone) == (new.cron, new.timezone)
            changed.append(replace(new, next_due=old.next_due) if is_due_as_before else new)
    ids = {row.reservation_id for row in wanted}
    removed = [row for row in rows if row.reservation_id not in ids]
    return Changes(added=tuple(added), changed=tuple(changed), removed=tuple(removed))


def is_gone(file: str) -> bool:
    """Whether the configuration file is not there any more; False if nobody can tell."""
    try:
        return not look(Path(file), Path.exists)
    except (OSError, SilentError):
        return False


def _row(name: str, table: ScheduleTable, file: str, *, manager: str, host: bool) -> ReservationRow:
    now, place = datetime.now(UTC), platform.node() if host else ""
    identity = "\0".join((file, name, manager, place))
    asked = Asked(arguments=_words(table), kind=_kind(table), configuration=file, schedule=name)
    return ReservationRow(
        reservation_id=hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest(),
        volume=table.volume,
        cron=" ".join(table.cron.split()),
        timezone=table.timezone or local_zone(),
        if_missed=table.if_missed,
        if_busy=table.if_busy,
        request=asked.to_json(),
        created_at=now,
        next_due=now,
        manager=manager,
        host=place,
    )


def _kind(table: ScheduleTable) -> Kind:
    return "check" if table.check else "prune" if table.prune else "backup"


def _words(table: ScheduleTable) -> tuple[str, ...]:
    if table.volume:
        return (f"--volume={table.volume}",)
    subset = [f"--read-data-subset={table.read_data_subset}"] if table.read_data_subset else []
    return (*(["--read-data"] if table.read_data else []), *subset)
