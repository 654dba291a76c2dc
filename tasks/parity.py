"""The order that makes the parity of a group of stored objects, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from tasks.groups import MAX_MEMBERS, MAX_ROWS, Devices, GroupMember
from tasks.orders import Order
from tasks.values import Count, Digest, HexId


@dataclass(frozen=True, kw_only=True, slots=True)
class MakeParity(Order):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ParityResult:
    """``digest``: of the directory at the end of the file, which covers every byte of it."""

    stored_bytes: Count
    digest: Digest
