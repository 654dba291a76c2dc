"""Which snapshots are kept, and how much a prune may leave behind."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field

from producer.requests.backup import Exclusions

#: A count that keeps all.
UNLIMITED_COUNT = 2**31 - 1


class Retention(Struct, frozen=True, kw_only=True):
    """Which snapshots of a volume are kept (docs/retention.md); each rule keeps more, none less."""

    #: "last", "hourly", "daily", "weekly", "monthly" or "yearly" → of how many such buckets the newest is kept.
    counts: dict[str, int] = field(default_factory=dict)
    #: "all" or one of "hourly" … "yearly" → within which span, as a person writes it: 1y5m7d2h.
    within: dict[str, str] = field(default_factory=dict)
    #: A snapshot with one of these is kept.
    tags: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.counts or self.within or self.tags)


class RepackLimits(Struct, frozen=True, kw_only=True):
    """How much may stay stored that nothing needs: a share of all that is stored, so many bytes, or anything."""

    max_unused_percent: float | None = 5.0
    max_unused_bytes: int | None = None
    #: Objects that hold more than this together are not repacked at once; None: no limit.
    max_repack_bytes: int | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether anything may stay: then nothing is repacked."""
        return self.max_unused_bytes is None and (self.max_unused_percent is None or self.max_unused_percent >= 100)

    def allowed_unused_bytes(self, used_bytes: int) -> int:
        """What may stay unused beside so many bytes that are used.  Not for what is unlimited."""
        if self.max_unused_bytes is not None:
            return self.max_unused_bytes
        assert self.max_unused_percent is not None
        return int(used_bytes * self.max_unused_percent / (100 - self.max_unused_percent))


DEFAULT_LIMITS = RepackLimits()


class PruneRequest(Struct, frozen=True, kw_only=True):
    devices: dict[str, Path]
    limits: RepackLimits = DEFAULT_LIMITS
    #: Say what would go, and change nothing.
    dry_run: bool = False


class RewriteRequest(Struct, frozen=True, kw_only=True):
    """``names`` of snapshots, or all those of ``volume``."""

    names: tuple[str, ...]
    exclusions: Exclusions
    devices: dict[str, Path]
    volume: str = ""
    #: Say what would go, and change nothing.
    dry_run: bool = False
