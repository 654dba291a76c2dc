"""The order of all entries of a source: that of the walk."""

from __future__ import annotations

import os

from producer.listing.entry import EntryBatch


def folder_order(batch: EntryBatch) -> list[bytes]:
    """Sorts batches as the walk does: a directory before its subdirectories, the source itself first."""
    if batch.names == [""]:
        return []
    return order_of_folder(batch.directory)


def order_of_folder(directory: str) -> list[bytes]:
    """As :func:`folder_order`, of the batches of the entries in ``directory``."""
    return [b"", *os.fsencode(directory).split(b"/")] if directory else [b""]
