"""How many devices hold what: for anyone who asks whether copies and parity are complete."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import and_, case, func, or_, select

from producer.catalog.database.database import Database
from producer.catalog.schema import devices, stored_objects


class HeldObject(NamedTuple):
    """An object on a device.  ``is_sound``: it is not damaged, and the device is neither dead nor lost."""

    object_id: str
    segment_id: str
    is_sound: bool


class Redundancy:
    def __init__(self, database: Database) -> None:
        self._database = database

    def on_few(self, copies: int) -> tuple[set[str], set[str]]:
        """The segments that fewer than ``copies`` devices hold, and those others that lie in parts.

        What is damaged, or on a device that is dead or lost, does not count.
        """
        holders = func.count(case((_IS_SOUND, stored_objects.c.device_id)).distinct())
        parts = func.count(stored_objects.c.parts)
        counted = select(stored_objects.c.segment_id, holders.label("holders")).group_by(stored_objects.c.segment_id)
        rows = self._database.read(counted.having(or_(holders < copies, parts > 0)))
        few = {row.segment_id for row in rows if row.holders < copies}
        return few, {row.segment_id for row in rows} - few

    def objects(self) -> list[HeldObject]:
        """All objects, once for each device."""
        is_sound = case((_IS_SOUND, 1), else_=0).label("is_sound")
        rows = self._database.read(select(stored_objects.c.object_id, stored_objects.c.segment_id, is_sound))
        return [HeldObject(row.object_id, row.segment_id, bool(row.is_sound)) for row in rows]


_GONE = select(devices.c.device_id).where(devices.c.state.in_(("dead", "lost")))
_IS_SOUND = and_(stored_objects.c.is_damaged.is_(False), stored_objects.c.device_id.not_in(_GONE))
