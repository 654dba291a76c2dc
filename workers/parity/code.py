"""The erasure code of parity: Reed-Solomon over GF(2^8) with a Cauchy matrix (docs/format.md, section 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from tasks.errors import SegfleetError

#: What the library puts before each piece, and wants there again; it depends on sizes and places alone.
_HEADER_BYTES = 80


class NoParityError(SegfleetError):
    """The library of the erasure code is not there."""

    code = "no-parity"
    hint = "install pyeclib where the worker runs: pip install pyeclib"


class Code:
    """Codes pieces of one length: ``members_count`` of data, then ``rows_count`` of parity.

    For one thread at a time.
    """

    def __init__(self, members_count: int, rows_count: int) -> None:
        # It has wheels for Linux alone, and workers elsewhere do all that needs no parity.
        try:
            from pyeclib.ec_iface import ECDriver
        except ImportError as error:
            raise NoParityError(f"this worker can neither make nor use parity: {error}") from error

        self._members_count = members_count
        self._driver = ECDriver(k=members_count, m=rows_count, ec_type="isa_l_rs_cauchy")
        self._headers = lru_cache(maxsize=2)(self._headers_of)

    def rows(self, members: Sequence[bytes]) -> list[bytes]:
        """The rows of parity of these pieces, which have one length above 0."""
        coded = self._driver.encode(b"".join(members))
        return [piece[_HEADER_BYTES:] for piece in coded[self._members_count :]]

    def piece(self, place: int, others: Mapping[int, bytes]) -> bytes:
        """The piece at ``place`` from any ``members_count`` of the others; members come first, then rows."""
        length = len(next(iter(others.values())))
        headers = self._headers(length)
        pieces = [headers[at] + data for at, data in sorted(others.items())[: self._members_count]]
        found: bytes = self._driver.reconstruct(pieces, [place])[0][_HEADER_BYTES:]
        return found

    def _headers_of(self, length: int) -> list[bytes]:
        return [piece[:_HEADER_BYTES] for piece in self._driver.encode(bytes(length * self._members_count))]


@lru_cache(maxsize=8)
def code_of(members_count: int, rows_count: int) -> Code:
    """Making one takes a while, so they are kept."""
    return Code(members_count, rows_count)
