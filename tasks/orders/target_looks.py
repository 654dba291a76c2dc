"""Orders that look at a target and change nothing, and their answers: what a restore would do, what it would remove."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from tasks.orders.order import Order
from tasks.orders.targets import Overwrite, TargetEntry
from tasks.receipts import PathTrouble
from tasks.sources.metadata import OwnerNames
from tasks.values import MAX_EXTENTS, Count, RelativePath, SourceName, is_safe_path

#: What a restore would make of an entry: ``replaced`` is ``new`` in the place of something else (docs/restore.md).
Fate = Literal["new", "replaced", "mended", "kept", "refused"]

#: What one answer names; then the question is asked again for the rest.
MAX_SURPLUS = 10_000

Name = Annotated[str, Meta(max_length=255, pattern=r"^[^/\x00]*$")]


class PreviewEntries(Order, frozen=True, kw_only=True):
    """Say what a restore would make of each entry, whose data would come from a segment if it has any.

    Nothing is made, and a missing target counts as an empty one.  With ``must_be_empty`` the order fails with code
    ``target-not-empty`` if the target holds anything.
    """

    target: SourceName
    entries: Annotated[tuple[TargetEntry, ...], Meta(max_length=MAX_EXTENTS)]
    overwrite: Overwrite
    must_be_empty: bool = False
    owner_names: OwnerNames = field(default_factory=OwnerNames)


class PreviewResult(Struct, frozen=True, kw_only=True):
    """One fate for each entry."""

    fates: Annotated[tuple[Fate, ...], Meta(max_length=MAX_EXTENTS)]


class FolderNames(Struct, frozen=True, kw_only=True):
    """What the snapshot has in a folder, between two names: after ``after``, and up to ``until`` ("" is no bound).

    Names are in the order of their bytes.
    """

    path: RelativePath
    names: Annotated[tuple[Name, ...], Meta(max_length=MAX_EXTENTS)] = ()
    after: Name = ""
    until: Name = ""

    def __post_init__(self) -> None:
        if not is_safe_path(self.path):
            raise ValueError("a folder of an order leaves the target")


class FindSurplus(Order, frozen=True, kw_only=True):
    """Name what these folders of the target hold, between their bounds, and the snapshot does not.

    Only what lies on the target's own file system: mount points are named as such, and nothing is looked for in a
    folder of another file system.  Folders are not entered.
    """

    target: SourceName
    folders: Annotated[tuple[FolderNames, ...], Meta(max_length=MAX_EXTENTS)]


class Surplus(Struct, frozen=True, kw_only=True):
    """A ``mount`` point stays, and what is ``fixed``: sockets, which no snapshot holds, and ``lost+found``."""

    path: RelativePath
    kind: Literal["file", "directory", "mount", "fixed"]


class SurplusResult(Struct, frozen=True, kw_only=True):
    """``rest``: how much of the order is left to ask: from folder ``rest`` on, and in that from ``after`` on."""

    found: Annotated[tuple[Surplus, ...], Meta(max_length=MAX_SURPLUS)]
    #: Names that both have.
    common_count: Count
    #: Folders on other file systems.
    elsewhere_count: Count
    troubles: Annotated[tuple[PathTrouble, ...], Meta(max_length=MAX_EXTENTS)]
    rest: Annotated[int, Meta(ge=-1, lt=MAX_EXTENTS)] = -1
    after: Name = ""
