"""The one small unit of a small segment, read and compressed where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workers.units.compress import UnitCompressor
from workers.units.pipeline import CompressedUnit, compressed

#: Starting a reader and a compressor takes a tenth of what a segment costs beside its data; compressing this much takes
#: a millisecond or two.
MAX_BYTES = 512 * 1024


class SmallUnit:
    """In place of a :class:`workers.units.pipeline.UnitPipeline` of one unit of at most MAX_BYTES.  Has no threads."""

    def __init__(self, size_bytes: int, fill: Callable[[memoryview], object], *, level: int) -> None:
        self._size_bytes = size_bytes
        self._fill = fill
        self._level = level

    def __enter__(self) -> Iterator[CompressedUnit]:
        return self._units()

    def __exit__(self, *exc_info: object) -> None:
        """Nothing is left."""

    def _units(self) -> Iterator[CompressedUnit]:
        with memoryview(bytearray(self._size_bytes)) as unit:
            self._fill(unit)
            yield compressed(UnitCompressor(self._level), unit)
