"""The compressed units of a segment's stream: by a pipeline of threads, or where that is faster by none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager

from workers.units.buffers import UnitBuffers
from workers.units.pipeline import CompressedUnit, UnitPipeline
from workers.units.small import MAX_BYTES, SmallUnit


def units_of(
    sizes_bytes: Sequence[int],
    fill: Callable[[memoryview], object],
    *,
    level: int,
    threads: int,
    spare: UnitBuffers | None = None,
) -> AbstractContextManager[Iterable[CompressedUnit]]:
    """For a ``with`` block; the arguments are those of :class:`workers.units.pipeline.UnitPipeline`."""
    if len(sizes_bytes) == 1 and sizes_bytes[0] <= MAX_BYTES:
        return SmallUnit(sizes_bytes[0], fill, level=level)
    return UnitPipeline(sizes_bytes, fill, level=level, threads=threads, spare=spare)
