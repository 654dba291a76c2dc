"""Has workers look into the files that had no data at the walk, which no segment holds: have they any now?

Files that are as in the parent snapshot are not looked at, as no unchanged file is.
"""

from __future__ import annotations

import uuid
from array import array
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.troubles import TroubleRow
from producer.listing.entry import EntryBatch
from producer.listing.reader import Batches
from producer.observer import Trouble
from producer.run.session import RunSession
from tasks.errors import BrokerError
from tasks.orders import ConfirmEmpty
from tasks.receipts import ExtentNote, Receipt
from tasks.values import SourcePlace

#: Files of one order, or up to a batch of the listing more: 50 ms of work, in a message of half a megabyte.
_FILES_COUNT = 8192

#: Orders that a device gets at once.
_ORDERS_COUNT = 4


class _Files(Struct, frozen=True, kw_only=True):
    """Files without data of one source.  ``asked``: the devices whose workers could not look."""

    source: str
    entries: tuple[int, ...]
    paths: tuple[str, ...]
    sizes_bytes: tuple[int, ...]
    asked: frozenset[str] = frozenset()


class EmptyFiles:
    """All of one run.  What has data is a trouble: the snapshot has it as an empty file, or as a hole."""

    def __init__(
        self,
        session: RunSession,
        state: BackupState,
        listing: Batches,
        sizes: array[int],
        *,
        roots: Mapping[str, Path],
        places: Mapping[str, SourcePlace],
        raw: Collection[str],
    ) -> None:
        """``sizes`` to store, by entry index; ``roots``: the sources; ``raw``: those that are no folders of files."""
        self._session = session
        self._state = state
        self._roots = roots
        self._places = places
        self._rest = _empty_files(listing, sizes, raw)
        self._again: deque[_Files] = deque()
        self._asked: dict[str, _Files] = {}

    def ask(self) -> bool:
        """Send the next orders.  Call while nothing is in flight; False when all files have been looked at."""
        # What is neither answered nor in flight was with a device that is lost.
        self._again.extend(self._asked.values())
        self._asked.clear()
        for member in self._state.live:
            for _ in range(_ORDERS_COUNT):
                files = self._next_for(member.name)
                if files is None:
                    break
                self._send(member.name, files)
        if not self._asked:
            # Who could still have looked is lost as well.
            for files in self._again:
                self._give_up(files, "its devices are lost")
            self._again.clear()
        return bool(self._asked)

    def _next_for(self, device: str) -> _Files | None:
        for files in self._again:
            if device not in files.asked:
                self._again.remove(files)
                return files
        return next(self._rest, None)

    def _send(self, device: str, files: _Files) -> None:
        order = ConfirmEmpty(
            order_id=uuid.uuid4().hex,
            source=files.source,
            paths=files.paths,
            sizes_bytes=files.sizes_bytes,
            within=self._places.get(files.source),
            **self._session.order_fields(device),
        )
        self._asked[order.order_id] = files
        # In flight even so: the courier sends it again.
        with suppress(BrokerError):
            self._session.courier.send([order])

    def take(self, order: ConfirmEmpty, receipt: Receipt) -> None:
        """Record what the worker found; where it could not look, another one does."""
        files = self._asked.pop(order.order_id, None)
        if files is None:
            return
        if receipt.failure is None:
            self._record(files, receipt.result.notes)
            return
        asked = files.asked | {receipt.device}
        if any(member.name not in asked for member in self._state.live):
            self._again.append(replace(files, asked=asked))
            return
        self._give_up(files, receipt.failure.message)

    def _give_up(self, files: _Files, why: str) -> None:
        message, count = f"could not check whether it is empty: {why}", len(files.paths)
        notes = [ExtentNote(index=at, trouble="unreadable", read_bytes=0, message=message) for at in range(count)]
        self._record(files, notes)

    def _record(self, files: _Files, notes: Sequence[ExtentNote]) -> None:
        root, rows = self._roots[files.source], []
        for note in notes:
            path = str(root / files.paths[note.index])
            entry = files.entries[note.index]
            rows.append(TroubleRow(entry_index=entry, path=path, code=note.trouble, message=note.message))
            self._session.observer.trouble(Trouble(code=note.trouble, message=note.message, path=path))
        catalog, snapshot_id = self._session.catalog, self._state.snapshot_id
        with catalog.transaction():
            # A run before this one may have found the same.
            catalog.troubles.clear_entries(
                snapshot_id, [row.entry_index for row in rows if row.entry_index is not None]
            )
            catalog.troubles.add(snapshot_id, rows)


def _empty_files(listing: Batches, sizes: array[int], raw: Collection[str]) -> Iterator[_Files]:
    """The files without data of each source, in the order of the listing; parts without any are not read."""
    source, found = "", list[tuple[int, str, int]]()
    for batch in _batches_with_empty_files(listing, sizes):
        if found and (batch.source != source or len(found) >= _FILES_COUNT):
            yield _files(source, found)
            found = []
        source = batch.source
        if source not in raw:
            to_store = sizes[batch.first_entry : batch.stop_entry]
            empty = (place for place, size in enumerate(to_store) if size == 0)
            found += [(batch.first_entry + place, batch.path_at(place), batch.sizes_bytes[place]) for place in empty]
    if found:
        yield _files(source, found)


def _batches_with_empty_files(listing: Batches, sizes: array[int]) -> Iterator[EntryBatch]:
    at = 0
    with suppress(ValueError):
        while True:
            at = sizes.index(0, at)
            batch = next(listing.batches(at, at + 1))
            yield batch
            at = batch.stop_entry


def _files(source: str, found: Sequence[tuple[int, str, int]]) -> _Files:
    entries, paths, sizes_bytes = zip(*found, strict=True)
    return _Files(source=source, entries=entries, paths=paths, sizes_bytes=sizes_bytes)
