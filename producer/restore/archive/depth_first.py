"""Each directory right before what is in it: tar sets its times when the first entry outside it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from producer.listing import Entry, EntryBatch, ListingReader
from producer.restore.planning.picks import path_at, snapshot_path


def depth_first(
    reader: ListingReader, batches: Iterable[EntryBatch], is_wanted: Callable[[str], bool]
) -> Iterator[Entry]:
    """The wanted entries of ``batches``, which come in the order of the listing, ``reader`` being its reader.

    The listing has all directories of one before the contents of the first of them; here each waits for its own batch.
    Everything else keeps its order.
    """
    #: Directories whose contents have not come yet, by index, the next one last; and those of the batch's folder.
    waiting: list[int] = []
    found: list[int] = []
    folder: str | None = None
    for batch in batches:
        own_folder = None if batch.names == [""] else snapshot_path(batch.source, batch.directory)
        if own_folder is None or own_folder != folder:
            waiting += reversed(found)
            found = []
            # Nothing waits for a folder that is not wanted.
            if own_folder is None or is_wanted(own_folder):
                yield from _come(reader, waiting, own_folder)
            folder = own_folder
        for place, kind in enumerate(batch.kinds):
            if not is_wanted(path_at(batch, place)):
                continue
            if kind == "d":
                found.append(batch.first_entry + place)
            else:
                yield batch.entry_at(place)
    waiting += reversed(found)
    yield from _come(reader, waiting, None)


def _come(reader: ListingReader, waiting: list[int], folder: str | None) -> Iterator[Entry]:
    """The directories up to and with ``folder``: those before it are empty.  None: all."""
    while waiting:
        entry = reader.entry(waiting.pop())
        yield entry
        if entry.snapshot_path == folder:
            return
