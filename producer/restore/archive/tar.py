"""Writes members as a tar archive."""

from __future__ import annotations

from collections.abc import Iterable

from producer.restore.archive.members import Member
from producer.restore.archive.pax import end_after, header_of, padding
from producer.restore.reading.without_holes import Out
from tasks.sources.metadata import OwnerNames


class TarArchive:
    """Holds nothing of what it has written.  Sparse files are written with their zeros."""

    def __init__(self, out: Out, owner_names: OwnerNames) -> None:
        self._out = out
        self._owner_names = owner_names
        self._written_bytes = 0

    def add(self, member: Member, data: Iterable[bytes]) -> None:
        """``data`` has the bytes of a file, exactly as many as its entry says; of others it is empty."""
        self._write(header_of(member.entry, self._owner_names))
        for block in data:
            self._write(block)
        self._write(padding(member.size_bytes))

    def finish(self) -> None:
        self._write(end_after(self._written_bytes))
        self._out.flush()

    def not_kept(self) -> dict[str, int]:
        """What the format cannot hold → how many entries have it."""
        return {}

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._written_bytes += len(data)
