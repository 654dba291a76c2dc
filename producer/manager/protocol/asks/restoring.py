"""What is asked of commands that read stored data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from producer.manager.protocol.asks.bounds import Amount, Number, Patterns, Text, Word
from tasks.orders import Overwrite


@dataclass(frozen=True, kw_only=True, slots=True)
class AskRestore:
    snapshot: Word
    #: The name of a ``[targets.NAME]``: a master names no folder.
    target: Annotated[str, Meta(max_length=255, pattern=r"^[^/\x00.-][^/\x00]*$")]
    include: Patterns = ()
    exclude: Patterns = ()
    overwrite: Overwrite | None = None
    threads: Number | None = None
    nice: Number | None = None
    skip_damaged: bool = False
    wait: Amount | None = None
    numeric_ids: bool = False
    delete: bool = False
    sparse: bool = False
    verify: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskCheck:
    snapshot: Word | None = None
    read_data: bool = False
    read_data_subset: Amount | None = None
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskDump:
    snapshot: Word
    path: Text | None = None
    zip: bool = False
    threads: Number | None = None
    wait: Amount | None = None
