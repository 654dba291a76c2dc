"""Takes from older files of the target what they hold already of an order's extents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tasks.orders import RestoreSegment
from workers.progress import ByteCounter
from workers.restore.extents import ExtentWriter
from workers.restore.known_content import KnownContent
from workers.restore.slices import Done
from workers.target.content.older import OlderContent
from workers.target.folders import Folders


def reuse_older(
    order: RestoreSegment,
    chosen: Sequence[int],
    writer: ExtentWriter,
    folders: Folders,
    known: KnownContent,
    progress: ByteCounter,
    before_write: Callable[[], None],
) -> Done:
    """Copy each cell that an older file holds, as its digest proves; returns what is done of which extent.

    New files are made of that, as of what comes from a device: anyone who has the older one open sees no change.
    """
    done: Done = {}
    for index in chosen:
        offset_bytes, size_bytes = order.offsets_bytes[index], order.sizes_bytes[index]
        with OlderContent(folders, order.paths[index], order.run_id) as older:
            cells = list(known.cells(order.stream_offsets_bytes[index], offset_bytes, size_bytes))
            is_whole = len(cells) == 1 and bool(order.metadata[index])
            for cell in cells if older.may_hold(size_bytes, is_whole=is_whole) else ():
                before_write()
                data = older.read(cell.offset_bytes, cell.size_bytes, cell.digest) if cell.digest is not None else None
                if data is None:
                    continue
                if not writer.take(index, cell.offset_bytes, data):
                    break
                older.give_back(cell.offset_bytes, cell.size_bytes)
                progress.add(cell.size_bytes)
                start = cell.offset_bytes - offset_bytes
                done.setdefault(index, []).append((start, start + cell.size_bytes))
    return done
