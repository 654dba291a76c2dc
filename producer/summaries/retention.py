"""The summaries of forget, rewrite and prune."""

from __future__ import annotations

from msgspec import Struct


class ForgetSummary(Struct, frozen=True, kw_only=True):
    """``exit_code``: 0 all is forgotten that was to be; 11 some of it is in use, and stays.

    ``unfinished``: backups that were interrupted, and stay.
    """

    forgotten: int
    kept: int
    in_use: int
    unfinished: int
    dry_run: bool
    duration_s: float
    exit_code: int


class RewrittenSnapshot(Struct, frozen=True, kw_only=True):
    """``replaces`` is forgotten, and ``snapshot_id`` stands in its place; "" in a dry run."""

    snapshot_id: str
    replaces: str
    volume: str
    entries_removed: int
    files_removed: int
    bytes_removed: int


class RewriteSummary(Struct, frozen=True, kw_only=True):
    """``exit_code``: 0, also when nothing fits the patterns.  ``unchanged``: the snapshots in which nothing does."""

    rewritten: tuple[RewrittenSnapshot, ...]
    unchanged: int
    dry_run: bool
    duration_s: float
    exit_code: int = 0


class PrunedTotals(Struct, frozen=True, kw_only=True):
    """What has gone from a device, or would go.  ``bytes_freed`` of a dry run are of objects alone."""

    objects_deleted: int
    files_deleted: int
    bytes_freed: int
    #: Written anew, of objects that were mostly dead.
    objects_written: int = 0
    bytes_written: int = 0
    #: Rows of parity that were written; a dry run knows their size but for what describes them.
    parity_made: int = 0
    bytes_parity: int = 0


class WaitingTotals(Struct, frozen=True, kw_only=True):
    """What is to go from a device, and stays for now: ``why``."""

    objects: int
    bytes: int
    why: str


class PruneSummary(Struct, frozen=True, kw_only=True):
    """``exit_code``: 0 all is gone that could go; 3 some could not be deleted or repacked (each reported as a trouble).

    ``waiting``: device → what waits there, because it is away, append-only or another catalog's.
    """

    bytes_freed: int
    objects_deleted: int
    #: Of manifests.
    files_deleted: int
    devices: dict[str, PrunedTotals]
    waiting: dict[str, WaitingTotals]
    #: What was written anew, of objects that were mostly dead.
    objects_written: int
    bytes_written: int
    #: What no snapshot needs of the objects that are left; None where nobody has looked.
    bytes_unused: int | None
    dry_run: bool
    errors: int
    duration_s: float
    exit_code: int
    #: Rows of parity that were written, for groups that were made anew.
    parity_made: int = 0
    bytes_parity: int = 0
    #: Of the newest snapshots: they lie in many small places, which no prune can join.
    files_scattered: int = 0
