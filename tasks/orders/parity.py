"""The orders that make the parity of groups of stored objects and find it again, and their answers."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from tasks.groups import MAX_MEMBERS, MAX_ROWS, Devices, GroupMember
from tasks.orders.order import Order
from tasks.values import Count, Digest, HexId


class MakeParity(Order, frozen=True, kw_only=True):
    """Write row ``row`` of the parity of ``members``, which lie on ``devices`` that the worker reaches.

    A repeat finds the row.  The order of the members is part of what is written.
    """

    group_id: HexId
    row: Annotated[int, Meta(ge=0, lt=MAX_ROWS)]
    rows_count: Annotated[int, Meta(ge=1, le=MAX_ROWS)]
    members: Annotated[tuple[GroupMember, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
    devices: Devices

    def __post_init__(self) -> None:
        if self.row >= self.rows_count:
            raise ValueError("a row of parity that its group does not have")


class ParityResult(Struct, frozen=True, kw_only=True):
    """``digest``: of the directory at the end of the file, which covers every byte of it."""

    stored_bytes: Count
    digest: Digest


class ListParity(Order, frozen=True, kw_only=True):
    """Say which rows of parity are on the device, of groups whose ids begin with ``digits``.

    Without digits: say with which digits any begin.
    """

    digits: Annotated[str, Meta(pattern=r"^([0-9a-f]{2})?$")] = ""


class FoundParity(Struct, frozen=True, kw_only=True):
    """A row as its directory says.  ``digest``: of the directory."""

    group_id: HexId
    row: Annotated[int, Meta(ge=0, lt=MAX_ROWS)]
    rows_count: Annotated[int, Meta(ge=1, le=MAX_ROWS)]
    members: Annotated[tuple[GroupMember, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
    stored_bytes: Count
    digest: Digest


class ParityList(Struct, frozen=True, kw_only=True):
    """``damaged_count``: files there that have no directory that is whole."""

    rows: Annotated[tuple[FoundParity, ...], Meta(max_length=100_000)] = ()
    damaged_count: Count = 0
    digits: Annotated[tuple[str, ...], Meta(max_length=256)] = ()
