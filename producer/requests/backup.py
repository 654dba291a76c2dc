"""A backup: its sources, what is left out of them, and how it is planned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from tasks.values import SourcePlace


class Source(Struct, frozen=True, kw_only=True):
    """A named source; ``path`` is absolute.  The name is the first part of paths in the snapshot.

    A ``raw`` source is one block device or image file, read as a whole.
    """

    name: str
    path: Path
    mode: Literal["files", "raw"] = "files"
    #: Where workers find it if it is inside a source of their configuration; None: they know it by its name.
    within: SourcePlace | None = None
    #: Paths in it, as a list names them; only they are backed up, with what they contain.  None: all.
    only: tuple[str, ...] | None = None

    @property
    def root(self) -> tuple[str, Path]:
        """The name that workers know, and its path on this host."""
        if self.within is None:
            return self.name, self.path
        return self.within.source, self.path.parents[self.within.path.count("/")]


class Exclusions(Struct, frozen=True, kw_only=True):
    """What the walk skips.  ``patterns`` are gitignore patterns; later ones win."""

    patterns: tuple[str, ...] = ()
    #: These match letters of either case.
    patterns_any_case: tuple[str, ...] = ()
    #: Files of more bytes.
    larger_than_bytes: int | None = None
    #: Files and folders with the flag "no dump".
    no_dump: bool = False
    caches: bool = False
    if_present: tuple[str, ...] = ()
    #: Names of files in the sources whose gitignore patterns hold for what is below them.
    ignore_files: tuple[str, ...] = ()
    one_file_system: bool = False
    #: Whether extended attributes are left out, of all entries.
    attributes: bool = False

    @property
    def leave_out_entries(self) -> bool:
        """Whether some entries of one file system are left out."""
        by_name = self.patterns or self.patterns_any_case or self.caches or self.if_present or self.ignore_files
        return bool(by_name) or self.larger_than_bytes is not None or self.no_dump


class PlanOptions(Struct, frozen=True, kw_only=True):
    """How the plan is made (docs/plan.md)."""

    split: Literal["threshold", "remaining"] = "threshold"
    order: Literal["descending", "ascending"] = "descending"
    #: What "least filled" means: bytes of this run, share of the capacity, or bytes by weight.
    balance: Literal["run", "free", "weight"] = "run"
    #: Whether small files share a segment; False: each file has its own, in strict order of size.
    bundle: bool = True
    #: Space to leave free on every device; None: 2 % of its capacity, at least 1 GiB.
    reserve_bytes: int | None = None
    #: By device; overrides ``reserve_bytes``.
    reserves_bytes: dict[str, int] = field(default_factory=dict)
    #: By device, for ``balance`` "weight"; the default is 1.
    weights: dict[str, float] = field(default_factory=dict)
    #: On how many devices each segment lies.
    copies: int = 1
    #: How many devices may be lost, by the parity of others.
    parity: int = 0
    #: Largest size of a segment; docs/plan.md says how the default was measured.
    segment_bytes: int = 256 * 1024 * 1024
    unit_bytes: int = 24 * 1024 * 1024
    #: Files are cut at multiples of this: one page, so that each segment's reads start at a page.
    block_bytes: int = 4 * 1024


class BackupRequest(Struct, frozen=True, kw_only=True):
    sources: tuple[Source, ...]
    #: Device name → its folder.
    devices: dict[str, Path]
    volume: str
    plan: PlanOptions
    exclusions: Exclusions
    level: int = 3
    #: Compression threads of each worker; None: by the number of cores and devices.
    threads: int | None = None
    #: How many workers of a host read a source's disk at once; None: one if it rotates, else all.
    readers: int | None = None
    #: Added to the niceness of the workers that the run starts.
    nice: int = 0
    tags: tuple[str, ...] = ()
    #: What the snapshot is, in a person's words.
    description: str = ""
    #: Make no snapshot when nothing differs from the parent.
    skip_if_unchanged: bool = False
    retries_count: int = 5
    #: How sources are read: "auto" lets each source decide (:mod:`producer.raw.switch`).
    mode: Literal["auto", "files", "raw"] = "auto"
    #: A file system with more files than this is read raw, if that is possible.
    raw_above_count: int = 100_000
    #: Read the free blocks of raw volumes too.
    all_blocks: bool = False
    #: Freeze mounted file systems while their volumes are read.
    freeze: bool = False
    #: Source bytes for each stored byte, as the user expects; None: as in the volume's last snapshots.
    expect_ratio: float | None = None
    #: Whether empty folders become new devices; else they are refused.
    new_devices: bool = True
    #: Where something must be mounted on this host, or nothing is backed up.
    required_mounts: tuple[Path, ...] = ()
    #: Accept a source that had files in the last snapshot and has none now.
    allow_empty: bool = False
    #: The snapshot to compare with; None: the newest of the volume.
    parent: str | None = None
    #: Compare with none: read and store everything.
    force: bool = False
    #: Take files as unchanged though their time of change, or their inode number, is another.
    ignore_ctime: bool = False
    ignore_inode: bool = False

    #: The one source is a stream, which can be read once.
    is_stream: bool = False
    #: Id of the unfinished snapshot to resume; None: that of the same command, if there is one.
    resume: str | None = None

    @property
    def read_mode(self) -> Literal["files", "raw", "mixed"]:
        """The mode of the snapshot, from the modes of its sources."""
        modes = {source.mode for source in self.sources}
        return "mixed" if len(modes) > 1 else modes.pop()

    def to_json(self) -> dict[str, Any]:
        """As plain values, for the catalog; paths that are not UTF-8 are surrogate escapes."""
        plain: dict[str, Any] = json.loads(json.dumps(msgspec.to_builtins(self, enc_hook=str)))
        return plain

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> BackupRequest:
        """The request that :meth:`to_json` made; raises msgspec.ValidationError for anything else."""
        return msgspec.convert(plain, cls, dec_hook=lambda kind, value: kind(value))

    def is_same_backup(self, other: dict[str, Any]) -> bool:
        """Whether the other request (from :meth:`to_json`) stores the same; devices and speed may differ."""
        return is_same_backup(self.to_json(), other)


#: What may differ between two requests for the same backup.
_FREE = (
    "devices",
    "threads",
    "readers",
    "nice",
    "retries_count",
    "required_mounts",
    "allow_empty",
    "expect_ratio",
    "parent",
    "force",
    "ignore_ctime",
    "ignore_inode",
    "new_devices",
    "description",
    "skip_if_unchanged",
    "resume",
)


def is_same_backup(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """:meth:`BackupRequest.is_same_backup` for two requests as plain values, of whatever release."""
    ours, theirs = ({key: value for key, value in plain.items() if key not in _FREE} for plain in (one, other))
    return ours == theirs
