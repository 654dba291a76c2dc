"""Finds the parts of a stored segment of which the digest is known.

The digest is that of the trailer, which names the header by its digest and each unit by the unit's.  Who has it,
from the catalog or a manifest, has the content: what a device has exchanged is found out, and is not even decoded.
"""

from __future__ import annotations

from tasks.errors import DamagedError
from workers.format.envelope import TRAILER, read_envelope
from workers.format.header import SegmentHeader
from workers.format.parts import SegmentParts, explain_end, read_header, units_of
from workers.format.scan import scan_frames
from workers.format.seek_table import Frame, read_seek_table
from workers.format.stored_bytes import StoredBytes
from workers.format.trailer import SegmentTrailer, decode_trailer, has_digests_of


def find_proved_parts(stored: StoredBytes, trailer_digest: bytes) -> SegmentParts:
    """As :func:`workers.format.parts.find_parts`, for the segment whose trailer has this digest.

    Raises DamagedError when the trailer is lost, or another one.
    """
    frames, damage = _frames(stored)
    trailer_offset_bytes = sum(frame.stored_bytes for frame in frames[:-1])
    trailer = decode_trailer(read_envelope(TRAILER, stored, trailer_offset_bytes, digest=trailer_digest))
    units_offset_bytes = trailer_offset_bytes - sum(trailer.unit_stored_bytes)
    if (frames[0].stored_bytes, frames[1:-1]) != (units_offset_bytes, units_of(trailer)):
        damage.append(DamagedError("seek table: it does not say what the trailer says"))
    header = None
    try:
        header = read_header(stored, trailer.header_digest).value
        _check(trailer, header)
    except DamagedError as error:
        damage.insert(0, error)
    return SegmentParts(
        header=header,
        trailer=trailer,
        trailer_digest=trailer_digest,
        units_offset_bytes=units_offset_bytes,
        units=units_of(trailer),
        damage=tuple(damage),
    )


def _frames(stored: StoredBytes) -> tuple[tuple[Frame, ...], list[DamagedError]]:
    """Header, units and trailer, from the seek table, or from the frames themselves."""
    try:
        return read_seek_table(stored), []
    except DamagedError:
        scan = scan_frames(stored)
    if scan.trailer is None:
        raise DamagedError(f"trailer: it is lost; {scan.stop}")
    return (scan.header, *scan.units, scan.trailer), [explain_end(stored, scan, scan.trailer)]


def _check(trailer: SegmentTrailer, header: SegmentHeader) -> None:
    if list(trailer.unit_sizes_bytes) != header.unit_sizes_bytes():
        raise DamagedError("header: its units are not those that the trailer names")
    if not has_digests_of(header.extents, trailer.extent_digests, trailer.cell_digests):
        raise DamagedError("header: its extents are not those that the trailer has digests of")
