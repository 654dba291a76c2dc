"""Writes the slices of a segment into the files of the target, and records what was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tasks.errors import MessageError, SegfleetError
from tasks.orders import RestoreSegment
from tasks.receipts import PathTrouble, RestoreResult
from workers.restore.slices import Slice
from workers.target.content.pieced_files import open_pieced_file
from workers.target.content.whole_files import WholeFile, open_whole_file
from workers.target.files import TargetFile
from workers.target.folders import Folders
from workers.target.image import ImageTarget
from workers.target.metadata.metadata import Metadata
from workers.target.metadata.owners import LocalOwners
from workers.target.overwrite import keeps_file
from workers.target.troubles import PATH_ERRORS, MetadataTrouble, trouble_at


class ExtentWriter:
    """Takes the slices of a restore order in stream order.  For one thread.

    An extent with metadata is a whole file: it is removed when a part of it is lost.  An extent without metadata is
    part of a file that others write too: a lost range is reported, and the rest stays.
    """

    def __init__(self, order: RestoreSegment, folders: Folders | ImageTarget) -> None:
        """Raises MessageError for an invalid row of metadata, or an order for files when the target is an image."""
        if isinstance(folders, ImageTarget) and (any(order.paths) or any(order.metadata)):
            raise MessageError("the target is the image of a raw volume; it takes pieces of one raw volume only")
        self._order = order
        self._folders = folders
        self._is_image = isinstance(folders, ImageTarget)
        self._sparse = frozenset(order.sparse)
        self._metadata = list(_metadata_of_rows(order))
        self._files: dict[int, TargetFile] = {}
        self._given_up: set[int] = set()
        self._troubles: list[PathTrouble] = []
        #: What is still to come of each extent.
        self._rest_bytes = list(order.sizes_bytes)
        self._bytes_reused = 0
        self._files_count = 0
        self._bytes_restored = 0
        self._skipped_count = 0

    def choose(self) -> list[int]:
        """Indexes of the extents to write; the files of the others exist and are kept."""
        order = self._order
        if order.overwrite == "always":
            return list(range(len(order.paths)))
        return [index for index in range(len(order.paths)) if not self._is_kept(index)]

    def write(self, slices: Sequence[Slice], data: bytes) -> int:
        """Write the slices of one unit, whose bytes are ``data``; returns the number of bytes written.

        Raises TargetError when the target takes no more.
        """
        before = self._bytes_restored
        for part in slices:
            if part.extent not in self._given_up:
                try:
                    self._write_slice(part, data)
                except PATH_ERRORS as error:
                    self._give_up(part.extent, error)
        return self._bytes_restored - before

    def take(self, index: int, offset_bytes: int, data: bytes) -> bool:
        """Write what an older file holds of an extent; returns whether the target takes more of that."""
        try:
            file = self._files.get(index) or self._open(index)
            file.write(data, 0, len(data), offset_bytes, sparse=index in self._sparse)
            self._bytes_reused += len(data)
            self._note_done(index, len(data))
        except PATH_ERRORS as error:
            self._give_up(index, error)
        return index not in self._given_up

    def doubt(self, chosen: Sequence[int]) -> None:
        """Report that only checksums, which are easily forged, vouch for these extents."""
        self._troubles += [
            PathTrouble(
                path=self._order.paths[index],
                offset_bytes=self._order.offsets_bytes[index],
                size_bytes=0,
                code="unproved",
                message="restored from a segment that has lost its digests: nothing proves that this was its content",
            )
            for index in chosen
        ]

    def lose(self, slices: Sequence[Slice], error: SegfleetError) -> int:
        """Record that the unit with these slices cannot be read; returns 0, the number of bytes written."""
        for part in slices:
            if part.extent not in self._given_up:
                self._lose_slice(part, error)
        return 0

    def make_empty(self, chosen: list[int]) -> list[int]:
        """Make the empty files; returns the indexes of the others.  Raises TargetError when the target is full."""
        for index in chosen:
            if not self._order.sizes_bytes[index]:
                try:
                    self._complete(index, self._open(index))
                except PATH_ERRORS as error:
                    self._give_up(index, error)
        return [index for index in chosen if self._order.sizes_bytes[index]]

    def result(self) -> RestoreResult:
        return RestoreResult(
            files_count=self._files_count,
            bytes_restored=self._bytes_restored,
            bytes_reused=self._bytes_reused,
            skipped_count=self._skipped_count,
            troubles=tuple(self._troubles),
            **self._lacks(),
        )

    def _lacks(self) -> dict[str, Any]:
        if isinstance(self._folders, ImageTarget):
            return {}
        counts = self._folders.not_kept
        return {"not_kept": dict(counts.not_kept), "unsupported": dict(counts.unsupported)}

    def close(self) -> None:
        """Remove what an interrupted order has written of whole files; a repeat writes them again."""
        for file in self._files.values():
            file.discard()
        self._files.clear()

    def _is_kept(self, index: int) -> bool:
        metadata = self._metadata[index]
        if metadata is None:  # decided by the manager, see RestoreSegment
            return False
        assert isinstance(self._folders, Folders)
        order = self._order
        try:
            kept = keeps_file(self._folders, order.paths[index], order.overwrite, order.sizes_bytes[index], metadata)
        except PATH_ERRORS as error:
            self._give_up(index, error)
            return True
        self._skipped_count += kept
        return kept

    def _write_slice(self, part: Slice, data: bytes) -> None:
        index = part.extent
        file = self._files.get(index) or self._open(index)
        offset_bytes = self._order.offsets_bytes[index] + part.extent_start
        file.write(data, part.start, part.stop, offset_bytes, sparse=self._is_image or index in self._sparse)
        size_bytes = part.stop - part.start
        self._bytes_restored += size_bytes
        self._note_done(index, size_bytes)

    def _note_done(self, index: int, size_bytes: int) -> None:
        """So much more of an extent is written or lost; once that is all, its file is closed."""
        self._rest_bytes[index] -= size_bytes
        if not self._rest_bytes[index] and index in self._files:
            self._complete(index, self._files[index])

    def _open(self, index: int) -> TargetFile:
        path, metadata = self._order.paths[index], self._metadata[index]
        if isinstance(self._folders, ImageTarget):
            file = self._folders.open()
        elif metadata is None:
            file = open_pieced_file(self._folders, path, self._order.run_id)
        else:
            file = open_whole_file(self._folders, path, self._order.run_id)
        self._files[index] = file
        return file

    def _complete(self, index: int, file: TargetFile) -> None:
        metadata = self._metadata[index]
        if metadata is not None:
            try:
                assert isinstance(file, WholeFile)
                file.finish(self._order.sizes_bytes[index], metadata)
            except MetadataTrouble as error:
                self._troubles.append(trouble_at(self._order.paths[index], error))
            self._files_count += 1
        del self._files[index]
        file.close()

    def _give_up(self, index: int, error: Exception) -> None:
        """Record that the target does not take this extent.  Raises TargetError when it would not take any other."""
        self._given_up.add(index)
        self._discard(index)
        offset_bytes, size_bytes = self._range(index)
        trouble = trouble_at(self._order.paths[index], error, offset_bytes=offset_bytes, size_bytes=size_bytes)
        self._troubles.append(trouble)

    def _lose_slice(self, part: Slice, error: SegfleetError) -> None:
        index = part.extent
        offset_bytes, size_bytes = self._range(index)
        if size_bytes < 0:
            self._given_up.add(index)
            self._discard(index)
        else:
            offset_bytes, size_bytes = offset_bytes + part.extent_start, part.stop - part.start
            self._note_done(index, size_bytes)
        self._troubles.append(
            PathTrouble(
                path=self._order.paths[index],
                offset_bytes=offset_bytes,
                size_bytes=size_bytes,
                code=error.code,
                message=error.message,
            )
        )

    def _range(self, index: int) -> tuple[int, int]:
        """What is lost with an extent: its range, or (0, -1) for a whole file."""
        if self._metadata[index] is not None:
            return 0, -1
        return self._order.offsets_bytes[index], self._order.sizes_bytes[index]

    def _discard(self, index: int) -> None:
        """Close a file, and remove what has been written of a whole one; an older file stays as it is."""
        file = self._files.pop(index, None)
        if file is not None:
            file.discard()


def _metadata_of_rows(order: RestoreSegment) -> Iterator[Metadata | None]:
    owners, sets = LocalOwners(order.owner_names), order.attribute_sets
    for row in order.metadata:
        if not row:
            yield None
            continue
        if len(row) not in (4, 5) or not (len(row) == 4 or 0 <= row[4] < len(sets)):
            raise MessageError(f"a row of metadata is not mode, owner, group, time and attributes: {row}")
        mode, uid, gid, mtime_ns, *place = row
        attributes = sets[place[0]] if place else {}
        yield Metadata(mode, owners.uid(uid), owners.gid(gid), mtime_ns, attributes)
