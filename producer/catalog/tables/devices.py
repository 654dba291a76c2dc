"""Devices and their states, in all pools that this catalog has met."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import case, false, or_, select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import devices
from tasks.errors import CatalogError

#: read-only: it can be read, and not written; absent: away, and expected back; lost: it will not come back, as its
#: operator said.
DeviceState = Literal["live", "full", "read-only", "suspect", "dead", "absent", "lost"]

#: Who says so has just seen the device's marker.
_THERE: Collection[DeviceState] = ("live", "read-only")

_COLUMNS = [column for column in devices.c if column.name != "recorded_at"]
_LAST_FIRST = (devices.c.recorded_at.desc(), devices.c.device_id)
# Made once, as in other tables what a page asks at each look: SQLAlchemy takes longer to make it than SQLite to answer.
_BY_NAME = select(*_COLUMNS).order_by(devices.c.name, *_LAST_FIRST)


class DeviceRow(Struct, frozen=True, kw_only=True):
    """A device, known by its id: another device may have the same name in another pool."""

    name: str
    device_id: str
    pool_id: str
    state: DeviceState
    #: Why it is in this state, for a person; "" when live.
    reason: str
    #: When it entered this state.
    since: datetime
    capacity_bytes: int
    free_bytes: int
    epoch: int
    path: str
    #: Where the file system of the folder was mounted; "" where nobody could tell.
    mount_point: str = ""
    #: Where it stands; "" where nobody said.
    site: str = ""
    #: Whether it may be away, by the configuration of the last run.
    rotating: bool = False

    @property
    def why(self) -> str:
        """The reason, beside the name of the device."""
        return self.reason.removeprefix(f"device {self.name}: ")

    @property
    def is_expected_away(self) -> bool:
        """It is away, as rotating devices are; one that has failed or is lost is not."""
        return self.rotating and self.state == "absent"


def without_replaced(rows: Iterable[DeviceRow]) -> list[DeviceRow]:
    """The devices that a list shows: of those that are lost only the last of a name that no other of the pool bears.

    ``rows``: of equal names the last recorded comes first.
    """
    rows = list(rows)
    borne = {(row.pool_id, row.name) for row in rows if row.state != "lost"}
    shown = []
    for row in rows:
        if row.state != "lost" or (row.pool_id, row.name) not in borne:
            borne.add((row.pool_id, row.name))
            shown.append(row)
    return shown


class Devices:
    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, row: DeviceRow) -> None:
        """Add a device, or update the one with its id.

        An epoch never falls, and ``since`` changes only with the state, so repeating this is harmless.  Whether it is
        rotating stays as :meth:`set_rotating` has it.
        """
        values: dict[str, Any] = {**asdict(row), "recorded_at": datetime.now(UTC)}
        with self._database.transaction():
            if self._database.insert_if_absent(devices, values):
                return
            known = self._get(row.device_id)
            assert known is not None  # devices are never deleted
            values["rotating"] = known.rotating
            values["epoch"] = max(row.epoch, known.epoch)
            values["since"] = known.since if known.state == row.state else row.since
            self._change(**values)

    def all(self, pool_id: str | None = None) -> list[DeviceRow]:
        """All devices, or those of one pool, sorted by name; of equal names the last recorded comes first."""
        statement = _BY_NAME
        if pool_id is not None:
            statement = statement.where(devices.c.pool_id == pool_id)
        return [DeviceRow(**row._asdict()) for row in self._database.read(statement)]

    def lost_ids(self) -> frozenset[str]:
        """The devices that will not come back."""
        return frozenset(row.device_id for row in self.all() if row.state == "lost")

    def last_recorded_first(self, pool_id: str | None = None) -> list[DeviceRow]:
        """All devices, or those of one pool; the one that was seen last comes first."""
        statement = select(*_COLUMNS).order_by(*_LAST_FIRST)
        if pool_id is not None:
            statement = statement.where(devices.c.pool_id == pool_id)
        return [DeviceRow(**row._asdict()) for row in self._database.read(statement)]

    def by_name(self, name: str) -> DeviceRow | None:
        """The device that was recorded last under this name."""
        statement = select(*_COLUMNS).where(devices.c.name == name).order_by(*_LAST_FIRST).limit(1)
        row = self._database.read_one(statement)
        return None if row is None else DeviceRow(**row._asdict())

    def set_state(self, device_id: str, state: DeviceState, reason: str) -> None:
        """Record a device's state and why; ``since`` stays when only the reason changes.

        A lost device is lost until it is there again: a run that began before its operator said so, and now finds the
        device dead, full or absent, does not undo that word.
        """
        stays = false() if state in _THERE else devices.c.state == "lost"
        self._change(
            device_id,
            state=case((stays, devices.c.state), else_=state),
            reason=case((stays, devices.c.reason), else_=reason),
            since=case((or_(stays, devices.c.state == state), devices.c.since), else_=datetime.now(UTC)),
        )

    def set_rotating(self, rotating: Mapping[str, bool]) -> None:
        """Record which devices may be away, by name; others stay as they are."""
        for row in self.all():
            if rotating.get(row.name, row.rotating) != row.rotating:
                self._change(row.device_id, rotating=rotating[row.name])

    def raise_epoch(self, device_id: str) -> int:
        """Fence the workers that serve the device now; returns the new epoch."""
        with self._database.transaction():
            self._change(device_id, epoch=devices.c.epoch + 1)
            row = self._get(device_id)
        assert row is not None
        return row.epoch

    def get(self, device_id: str) -> DeviceRow:
        """The device with this id; an unknown one raises CatalogError."""
        row = self._get(device_id)
        if row is None:
            raise CatalogError(f"device {device_id} is not in the catalog")
        return row

    def _get(self, device_id: str) -> DeviceRow | None:
        row = self._database.read_one(select(*_COLUMNS).where(devices.c.device_id == device_id))
        return None if row is None else DeviceRow(**row._asdict())

    def _change(self, device_id: str, **values: object) -> None:
        if not self._database.write(update(devices).where(devices.c.device_id == device_id).values(**values)):
            raise CatalogError(f"device {device_id} is not in the catalog")
