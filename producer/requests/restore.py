"""A restore: what of a snapshot, and to where."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from tasks.orders import Overwrite

#: The name of a target that is a path on this host.
UNNAMED_TARGET = "target"


class RestoreRequest(Struct, frozen=True, kw_only=True):
    #: As a person calls it: 8 hex digits or more, "latest", "NAME@latest" …
    snapshot: str
    #: Path in the snapshot, "" for all of it.
    path: str
    target: Path
    devices: dict[str, Path]
    #: The name by which agents know the target.
    target_name: str = UNNAMED_TARGET
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    #: None: the target must be empty or missing.
    overwrite: Overwrite | None = None
    #: Turn long runs of zeros into holes, even where the source had written zeros.
    sparse: bool = False
    #: Read back all that was written, and compare it.
    verify: bool = False
    #: Remove what the restored folders hold and the snapshot does not.
    delete: bool = False
    #: Paths in the target where segfleet has its own files, which are never removed.
    own_places: tuple[str, ...] = ()
    #: Keep large files with missing parts, with holes and a note; else they are not restored.
    skip_damaged: bool = False
    #: Owners by number, as they were; else by name where the target's host knows it.
    numeric_ids: bool = False
    threads: int | None = None
    #: Added to the niceness of the workers that the run starts.
    nice: int = 0
