"""Makes a tree part out of another one, in which some entries have changed: all other lines stay as they are.

On most days each part of a tree has a change or two, and decoding, encoding and counting what has not changed would be
most of the work of a seal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from producer.listing.columns import cut, joined
from producer.listing.entry import EntryBatch
from producer.listing.frames import decode_line, decompress_lines
from producer.listing.part_head import WholeFiles, head_line, needs_in
from producer.listing.tree.decoding import decode_tree_part
from producer.listing.tree.tree_part import Line, TreePart, add_files, encode_tree_part, line_of, part_of, whole_files
from tasks.values import HexId


class _Ids(Struct, frozen=True):
    segment_ids: list[HexId] = []


class _Outline(Struct, frozen=True):
    """What is to be known of a line that stays as it is: how many entries it has, and which segments it names."""

    kinds: str
    places: _Ids = _Ids()


def patched_part(
    data: bytes, first_entry: int, changed: Sequence[EntryBatch], load: Callable[[bytes], bytes]
) -> TreePart:
    """The part ``data``, which begins at ``first_entry``, with the entries of ``changed`` instead of its own.

    ``changed``: sealed batches in entry order, none of which reaches beyond the part, with the names that the part has
    there; ``load`` as for :func:`decode_tree_part`.  The result is what :func:`encode_tree_part` makes of all batches.
    """
    first, *lines = decompress_lines(data)
    needs = needs_in(first)
    if needs.whole_files is None or needs.maps or any(batch.places.pieces for batch in changed):
        # What such files need is not counted.
        batches = decode_tree_part(data, "", first_entry, load)
        return encode_tree_part(_with_changes(batch, changed) for batch in batches)
    files, order, made = dict(needs.whole_files), dict[str, None](), list[bytes]()
    entry = first_entry
    for line in lines:
        outline = decode_line(line, _Outline)
        stop = entry + len(outline.kinds)
        mine = [batch for batch in changed if batch.first_entry < stop and batch.stop_entry > entry]
        if mine:
            new = _changed_line(line, entry, mine, files)
            made.append(new.data)
            order |= dict.fromkeys(new.segment_ids)
        else:
            made.append(line)
            order |= dict.fromkeys(outline.places.segment_ids)
        entry = stop
    head = head_line(order, (), (files[segment_id] for segment_id in order), has_pieces=False)
    return part_of((head, *made), entry - first_entry)


def _changed_line(line: bytes, first_entry: int, changed: Sequence[EntryBatch], files: dict[str, WholeFiles]) -> Line:
    """The line with these entries; ``files``, of the whole part, are counted anew."""
    before = replace(decode_line(line, EntryBatch), first_entry=first_entry)
    new = line_of(_with_changes(before, changed))
    add_files(files, whole_files(before, before.places), -1)
    add_files(files, new.files)
    return new


def _with_changes(batch: EntryBatch, changed: Sequence[EntryBatch]) -> EntryBatch:
    """The batch with the entries of those of ``changed`` that reach into it."""
    return joined(list(_pieces(batch, changed)))


def _pieces(batch: EntryBatch, changed: Sequence[EntryBatch]) -> Iterator[EntryBatch]:
    first, stop, entry = batch.first_entry, batch.stop_entry, batch.first_entry
    for one in changed:
        start, end = max(one.first_entry, entry), min(one.stop_entry, stop)
        if start >= end:
            continue
        if start > entry:
            yield cut(batch, entry - first, start - first)
        yield cut(one, start - one.first_entry, end - one.first_entry)
        entry = end
    if entry < stop:
        yield cut(batch, entry - first, stop - first)
