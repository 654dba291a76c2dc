"""What a source itself is."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from producer.listing import EntryBatch
from producer.raw.entry import raw_batch
from producer.requests import Source
from producer.walk.attributes import attributes_of, attributes_trouble
from producer.walk.found import FORMAT_BITS, LETTERS, Found
from producer.walk.holes import data_ranges_at, may_have_holes
from producer.walk.sizes import is_bearable
from producer.walk.status import mode_and_sizes, status_at
from tasks.errors import UsageError

#: A source itself: the one entry of a raw volume, or a file or directory.
Root = EntryBatch | Found


def root_of(source: Source, *, attributes: bool) -> Root:
    """The entry of the source itself; ``attributes``: whether its extended attributes are wanted.

    Raises UsageError when it is missing or cannot be backed up.
    """
    if source.mode == "raw":
        return raw_batch(source)
    try:
        status = status_at(os.fspath(source.path))
        mode, size_bytes, blocks_count = mode_and_sizes(status)
        letter = LETTERS.get(mode & FORMAT_BITS)
        links = {"": os.readlink(source.path)} if letter == "l" else {}
        if letter == "d":
            _open_once(source.path)
    except OSError as error:
        raise UsageError(
            f"cannot read source {source.path}: {error.strerror}", hint="check the path", path=str(source.path)
        ) from error
    if letter is None:
        raise UsageError(f"source {source.path} is a socket", hint="name a directory or a file")
    ranges = {}
    if letter == "f" and may_have_holes(letter, size_bytes, blocks_count):
        ranges[""] = data_ranges_at(os.fspath(source.path), None, size_bytes)
    if letter == "f" and not is_bearable(size_bytes, blocks_count, ranges.get("")):
        raise UsageError(f"source {source.path} has {size_bytes} bytes, which no backup can hold", hint="is it a hole?")
    root = Found(directory="", names=[""], letters=[letter], statuses=[status], links=links, data_ranges=ranges)
    if attributes:
        _add_attributes(root, os.fspath(source.path))
    return root


def _add_attributes(root: Found, path: str) -> None:
    try:
        found = attributes_of(path)
    except OSError as error:
        root.troubles.append(attributes_trouble(error, path))
    else:
        root.attributes.update({"": found} if found else {})


def _open_once(folder: Path) -> None:
    """A file system may know the status of its root, and be silent all the same.  What is wrong, the scan reports."""
    with suppress(OSError):
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
