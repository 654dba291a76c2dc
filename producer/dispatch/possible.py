"""Can a result be true of the order that it answers?  Pure.

Each number is bounded by the order, each name is one that the order had.  So what an agent makes up concerns only what
it was asked about, and nothing that follows has to look again.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from typing import Any

from msgspec.structs import replace

from producer.dispatch.possible_looks import is_possible_look
from tasks.digests import DIGEST_BYTES, known_places, listed_cells_count, split_digests
from tasks.orders import (
    MANIFEST_NAME,
    ConfirmEmpty,
    GetManifest,
    Order,
    PrepareImage,
    PutManifest,
    ReadSegment,
    RestoreEntries,
    RestoreSegment,
    StoreSegment,
    VerifySegments,
)
from tasks.receipts import (
    EmptyResult,
    ManifestResult,
    PathTrouble,
    ReadResult,
    RestoreResult,
    StoreResult,
    VerifyResult,
)

#: Of a stored segment: the fixed fields; and for each unit, extent, note and digest what is said of it.
_FRAME_BYTES = 64 * 1024
_ITEM_BYTES = 512
_CHARACTER_BYTES = 6

_NOTHING_RESTORED = RestoreResult(files_count=0, bytes_restored=0, skipped_count=0, troubles=())


def is_possible(result: Any, order: Order) -> bool:
    """Whether ``result``, of the class that answers such an order, may be true."""
    match order:
        case StoreSegment():
            return _is_stored(result, order)
        case ConfirmEmpty():
            return _is_about_empty_files(result, order)
        case VerifySegments():
            return _is_verdict(result, order)
        case RestoreSegment():
            return _is_restored(result, order)
        case RestoreEntries():
            return _are_entries(result, order)
        case PrepareImage():
            return bool(result == replace(_NOTHING_RESTORED, files_count=int(order.finish)))
        case ReadSegment():
            return _is_read(result, order)
        case GetManifest():
            return _is_manifest(result, order)
        case PutManifest():
            return bool(result == ManifestResult())
    return is_possible_look(result, order)


def _is_stored(result: StoreResult, order: StoreSegment) -> bool:
    places = _stored_places(result, order)
    if places is None:
        return False
    extents, stored = order.extents, order.extents.at(places)
    total_bytes = stored.total_bytes
    return (
        result.bytes_source == total_bytes
        and bool(result.trailer_digest) == bool(places or not extents.paths)
        and bool(result.trailer_digest) >= bool(result.bytes_stored)
        and result.units_count == -(-total_bytes // order.unit_bytes)
        and result.bytes_stored <= _largest_stored_bytes(result, order)
        and len(result.extent_digests) == len(extents) * DIGEST_BYTES
        and len(result.cell_digests) == listed_cells_count(stored) * DIGEST_BYTES
        and (result.file_state is None or order.is_piece)
        and all(
            note.index < len(extents) and note.read_bytes <= extents.sizes_bytes[note.index] for note in result.notes
        )
        and not {note.index for note in result.notes} & set(result.unchanged)
    )


def _stored_places(result: StoreResult, order: StoreSegment) -> list[int] | None:
    """The extents that are not unchanged; None where others are said to be than those of which a digest was known.

    None as well where what heals has another digest.
    """
    unchanged, known = set(result.unchanged), list(split_digests(order.known_digests))
    if sorted(unchanged) != list(result.unchanged) or not unchanged <= set(known_places(order.known_digests)):
        return None
    digests = list(split_digests(result.extent_digests))
    if len(digests) != len(order.extents) or any(digests[place] != known[place] for place in unchanged):
        return None
    if order.heals and digests != known:
        return None
    return [place for place in range(len(order.extents)) if place not in unchanged]


def _largest_stored_bytes(result: StoreResult, order: StoreSegment) -> int:
    total_bytes = order.extents.total_bytes
    texts = (*order.extents.paths, *(note.message for note in result.notes))
    digests_count = (len(result.extent_digests) + len(result.cell_digests)) // DIGEST_BYTES
    items_count = result.units_count + len(order.extents) + len(result.notes) + digests_count
    # zstd makes what it cannot compress larger by 1/256 at most.
    data_bytes = total_bytes + total_bytes // 128
    return data_bytes + _FRAME_BYTES + items_count * _ITEM_BYTES + sum(map(len, texts)) * _CHARACTER_BYTES


def _is_about_empty_files(result: EmptyResult, order: ConfirmEmpty) -> bool:
    indexes = [note.index for note in result.notes]
    return len(indexes) == len(set(indexes)) and all(
        note.index < len(order.paths) and not note.read_bytes for note in result.notes
    )


def _is_verdict(result: VerifyResult, order: VerifySegments) -> bool:
    found = [finding.object_id for finding in result.findings]
    return (
        result.segments_count == len(order.object_ids)
        and len(found) == len(set(found))
        and set(found) <= set(order.object_ids)
    )


def _is_restored(result: RestoreResult, order: RestoreSegment) -> bool:
    return (
        result.files_count <= len(order.paths)
        and result.skipped_count <= len(order.paths)
        and result.bytes_restored + result.bytes_reused <= sum(order.sizes_bytes)
        and not result.removed_count
        and result.verified_files_count <= len(order.paths)
        and result.verified_bytes <= sum(order.sizes_bytes)
        and (order.compare or not result.verified_bytes)
        and _are_of_segment(result.troubles, order)
    )


def _are_of_segment(troubles: tuple[PathTrouble, ...], order: RestoreSegment) -> bool:
    if not troubles:
        return True
    ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
    whole = set()
    rows = zip(order.paths, order.offsets_bytes, order.sizes_bytes, order.metadata, strict=True)
    for path, offset_bytes, size_bytes, metadata in rows:
        ranges[path].append((offset_bytes, offset_bytes + size_bytes))
        if metadata:
            whole.add(path)

    def fits(trouble: PathTrouble) -> bool:
        if trouble.code == "skipped" or trouble.path not in ranges:
            return False
        if trouble.size_bytes < 0:
            return trouble.path in whole
        start, stop = trouble.offset_bytes, trouble.offset_bytes + trouble.size_bytes
        return not trouble.size_bytes or any(first <= start and stop <= last for first, last in ranges[trouble.path])

    return all(map(fits, troubles))


def _are_entries(result: RestoreResult, order: RestoreEntries) -> bool:
    codes = defaultdict(set)
    for entry in order.entries:
        codes[entry.path].add(entry.kind == "file" and order.overwrite != "always")
    return (
        result.files_count <= len(order.entries)
        and result.skipped_count <= len(order.entries)
        and result.removed_count <= len(order.entries)
        and not result.bytes_restored + result.bytes_reused
        and all(
            trouble.path in codes
            and trouble.size_bytes <= 0
            and (trouble.code != "skipped" or True in codes[trouble.path])
            for trouble in result.troubles
        )
    )


def _is_read(result: ReadResult, order: ReadSegment) -> bool:
    data = _decoded(result.data_base64)
    return data is not None and len(data) == order.size_bytes


def _is_manifest(result: ManifestResult, order: GetManifest) -> bool:
    if order.name:
        return not result.names and _decoded(result.data_base64) is not None
    return not result.data_base64 and all(map(MANIFEST_NAME.fullmatch, result.names))


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None
