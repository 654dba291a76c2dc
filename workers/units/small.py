"""The one small unit of a small segment, read and compressed on the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workers.units.compress import UnitCompressor
from workers.units.pipeline import CompressedUnit, compressed

#: Starting a reader and a compressor takes a tenth of a segment's fixed costs; compressing this much takes one or two
#: milliseconds.
MAX_BYTES = 512 * 1024


class SmallUnit:
    """Replaces a :class:`workers.units.pipeline.UnitPipeline` for one unit of at most MAX_BYTES.  Has no threads."""

    def __init__(self, size_bytes: int, fill: Callable[[memoryview], object], *, level: int) -> None:
        self._size_bytes = size_bytes
        self._fill = fill
        self._level = level

    def __enter__(self) -> Iterator[CompressedUnit]:
        return self._units()

    def __exit__(self, *exc_info: object) -> None:
        """There is nothing to stop."""

    def _units(self) -> Iterator[CompressedUnit]:
        with memoryview(bytearray(self._size_bytes)) as unit:
            self._fill(unit)
            yield compressed(UnitCompressor(self._level), unit)
