"""Reads a stored segment, whole or damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blake3 import blake3
from msgspec import Struct

from tasks.errors import DamagedError
from workers.format.header import SegmentHeader
from workers.format.parts import find_parts
from workers.format.proved import find_proved_parts
from workers.format.seek_table import Frame
from workers.format.stored_bytes import StoredBytes
from workers.format.trailer import SegmentTrailer
from workers.units.compress import decompress_unit


class StoredUnit(Struct, frozen=True, kw_only=True):
    """Where a unit is in the file and in the stream.  ``digest`` is None when the trailer is lost."""

    stored_offset_bytes: int
    stored_bytes: int
    stream_offset_bytes: int
    size_bytes: int
    digest: bytes | None


class SegmentReader:
    """Opens a segment of ``stored_bytes`` bytes through ``read(offset, size)``.

    EIO from ``read`` is damage of the part that was read; what else it raises passes through.

    Opening reads header, trailer and seek table, and raises DamagedError, which names the part, unless all
    three are exactly what was written.  With ``salvage=True`` damage to them is kept in ``damage`` instead,
    and all that can still be located is read; DamagedError is then raised only when neither header nor
    trailer is left, or nothing to find the units by.  A segment of a newer format raises DeviceError
    either way.

    With ``trailer_digest``, what an order or a receipt said of the segment, only that content is accepted:
    DamagedError is raised, salvage or not, when the trailer is lost or another one.  Without it the segment proves
    itself, against accidents but not against somebody who writes another.

    Units may be read from several threads at once if ``read`` may.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        stored_bytes: int,
        *,
        salvage: bool = False,
        trailer_digest: bytes | None = None,
    ) -> None:
        self._stored = StoredBytes(read, stored_bytes)
        parts = find_parts(self._stored) if trailer_digest is None else find_proved_parts(self._stored, trailer_digest)
        if parts.damage and not salvage:
            raise parts.damage[0]
        #: One error for each damaged part other than units.
        self.damage: tuple[DamagedError, ...] = parts.damage
        self._header = parts.header
        self._trailer = parts.trailer
        #: None when the trailer is lost.
        self.trailer_digest = parts.trailer_digest
        digests = parts.trailer.unit_digests if parts.trailer else (None,) * len(parts.units)
        #: The units that could be located, in stream order, from the first one on without a gap.
        self.units: tuple[StoredUnit, ...] = tuple(_place(parts.units_offset_bytes, parts.units, digests))

    @property
    def header(self) -> SegmentHeader:
        """Raises DamagedError when the header is damaged."""
        if self._header is None:
            raise self._damage_of("header")
        return self._header

    @property
    def trailer(self) -> SegmentTrailer:
        """Raises DamagedError when the trailer is damaged or cut off."""
        if self._trailer is None:
            raise self._damage_of("trailer")
        return self._trailer

    @property
    def stream_bytes(self) -> int:
        """Size of the stream, of lost units too; without a header, of the units that could be located."""
        if self._header is not None:
            return self._header.stream_bytes
        return sum(unit.size_bytes for unit in self.units)

    def read_unit(self, index: int) -> bytes:
        """The content of unit ``index``, verified.

        Raises DamagedError, which names the unit and its range of the stream, when it is lost or not what
        was stored.  Without a trailer the frame's own checksum takes the place of BLAKE3.
        """
        unit = self._unit(index)
        try:
            return decompress_unit(self._read_stored(unit), unit.size_bytes)
        except DamagedError as error:
            raise DamagedError(f"{_name(index, unit)}: {error.message}") from error

    def damaged_ranges(self) -> tuple[tuple[int, int], ...]:
        """Read every stored unit; (offset, size) in the stream of each one that is damaged or lost.

        Compares BLAKE3 and decompresses nothing (without a trailer it must decompress).
        """
        damaged = [(unit.stream_offset_bytes, unit.size_bytes) for unit in self.units if not self._holds(unit)]
        located_bytes = sum(unit.size_bytes for unit in self.units)
        if located_bytes < self.stream_bytes:
            damaged.append((located_bytes, self.stream_bytes - located_bytes))
        return tuple(damaged)

    def _holds(self, unit: StoredUnit) -> bool:
        try:
            frame = self._read_stored(unit)
            if unit.digest is None:
                decompress_unit(frame, unit.size_bytes)
        except DamagedError:
            return False
        return True

    def _read_stored(self, unit: StoredUnit) -> bytes:
        frame = self._stored.read(unit.stored_offset_bytes, unit.stored_bytes)
        if unit.digest is not None and blake3(frame).digest() != unit.digest:
            raise DamagedError("its BLAKE3 does not match")
        return frame

    def _unit(self, index: int) -> StoredUnit:
        if 0 <= index < len(self.units):
            return self.units[index]
        raise DamagedError(f"unit {index}: only {len(self.units)} units of this segment can be located")

    def _damage_of(self, part: str) -> DamagedError:
        own = [error for error in self.damage if error.message.startswith(part)]
        return (own or list(self.damage))[0]


def _place(
    offset_bytes: int, units: tuple[Frame, ...], digests: tuple[bytes, ...] | tuple[None, ...]
) -> Iterator[StoredUnit]:
    stream_offset_bytes = 0
    for unit, digest in zip(units, digests, strict=True):
        yield StoredUnit(
            stored_offset_bytes=offset_bytes,
            stored_bytes=unit.stored_bytes,
            stream_offset_bytes=stream_offset_bytes,
            size_bytes=unit.size_bytes,
            digest=digest,
        )
        offset_bytes += unit.stored_bytes
        stream_offset_bytes += unit.size_bytes


def _name(index: int, unit: StoredUnit) -> str:
    return (
        f"unit {index} (bytes {unit.stream_offset_bytes} to {unit.stream_offset_bytes + unit.size_bytes} of the stream)"
    )
