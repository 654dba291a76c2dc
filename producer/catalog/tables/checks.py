"""What checks have looked at, and when: by device, and by volume."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from msgspec import Struct
from sqlalchemy import case, func, select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import stored_objects, volume_checks


class DeviceCheck(Struct, frozen=True, kw_only=True):
    """How much of a device's objects was read to the last byte, and when one was last looked at, and read.

    Times are None where none was.
    """

    objects_count: int
    bytes_stored: int
    damaged_count: int
    bytes_read: int
    looked_at: datetime | None
    read_at: datetime | None


class VolumeCheck(Struct, frozen=True, kw_only=True):
    """The last check of all snapshots of a volume that went to its end; ``damaged_count``: those that lacked something.

    With ``read_data`` every byte was read, by this check or by others that ``--older-than`` let count.
    """

    volume: str
    read_data: bool
    checked_at: datetime
    snapshots_count: int
    damaged_count: int


_LAST_FIRST = select(volume_checks).order_by(volume_checks.c.checked_at.desc())


class Checks:
    def __init__(self, database: Database) -> None:
        self._database = database

    def by_device(self) -> dict[str, DeviceCheck]:
        """Device id → what was checked of it, of the devices that hold objects."""
        read = stored_objects.c.read_at.is_not(None)
        sums = (
            func.count().label("objects_count"),
            func.sum(stored_objects.c.bytes_stored).label("bytes_stored"),
            func.sum(case((stored_objects.c.is_damaged, 1), else_=0)).label("damaged_count"),
            func.sum(case((read, stored_objects.c.bytes_stored), else_=0)).label("bytes_read"),
            func.max(stored_objects.c.looked_at).label("looked_at"),
            func.max(stored_objects.c.read_at).label("read_at"),
        )
        rows = self._database.read(select(stored_objects.c.device_id, *sums).group_by(stored_objects.c.device_id))
        found = (row._asdict() for row in rows)
        return {
            values.pop("device_id"): DeviceCheck(
                **{**values, "bytes_stored": int(values["bytes_stored"]), "bytes_read": int(values["bytes_read"])}
            )
            for values in found
        }

    def by_volume(self) -> dict[str, list[VolumeCheck]]:
        """Volume → its last check of structure, and its last one of every byte; the newest first."""
        found: defaultdict[str, list[VolumeCheck]] = defaultdict(list)
        for row in self._database.read(_LAST_FIRST):
            found[row.volume].append(VolumeCheck(**row._asdict()))
        return dict(found)

    def record(self, check: VolumeCheck) -> None:
        """In the place of the volume's check of the same kind before."""
        of_volume = {"volume": check.volume, "read_data": check.read_data}
        found = {
            "checked_at": check.checked_at,
            "snapshots_count": check.snapshots_count,
            "damaged_count": check.damaged_count,
        }
        with self._database.transaction():
            # Another manager may record one at the same moment.
            if not self._database.insert_if_absent(volume_checks, of_volume | found):
                self._database.write(update(volume_checks).filter_by(**of_volume).values(**found))
