"""What a reservation asks for: the words of a backup, a check or a prune, or a schedule of the configuration.

It keeps no devices, options or patterns of the configuration: anyone who runs it reads them then.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from producer.catalog.columns import JsonObject
from producer.catalog.tables.reservations import ReservationRow
from tasks.errors import CatalogError

Kind = Literal["backup", "check", "prune"]


class Asked(Struct, frozen=True, kw_only=True):
    """The arguments of ``segfleet backup``, ``check`` or ``prune``.  Paths in them are absolute."""

    arguments: tuple[str, ...]
    #: A check and a prune are of all volumes: their reservations have none.
    kind: Kind = "backup"
    #: The arguments of ``segfleet forget`` that say what is kept afterwards; empty: what the configuration says.
    keep: tuple[str, ...] = ()
    #: A master has asked: it may name only what the configuration has.
    by_master: bool = False
    #: The configuration file that has it in a ``[schedules.NAME]``, and that name; "" if a command has added it.
    configuration: str = ""
    schedule: str = ""

    def to_json(self) -> JsonObject:
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def asked_of(row: ReservationRow) -> Asked:
    """Raises CatalogError for a reservation of another release."""
    try:
        return msgspec.convert(row.request, Asked)
    except msgspec.ValidationError as error:
        raise CatalogError(
            f"reservation {row.reservation_id[:8]} of volume {row.volume} was made by another release: {error}",
            hint="remove it and add it again",
        ) from error


def configuration_of(row: ReservationRow) -> str:
    """The configuration file that the reservation comes from; "" if a command has added it."""
    return str(row.request.get("configuration", ""))


def called(row: ReservationRow) -> str:
    """What the reservation is called: its volume, or ``check`` or ``prune``."""
    return row.volume or str(row.request.get("kind", ""))
