"""A device's agent answers with what nobody asked about: its receipts count for nothing."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from msgspec.structs import replace

from kit.models.offline import Devices, receipt_for
from producer.dispatch.strays import answers
from tasks.errors import MessageError
from tasks.orders import (
    ConfirmEmpty,
    GetManifest,
    Order,
    PrepareImage,
    PutManifest,
    ReadSegment,
    RestoreEntries,
    RestoreSegment,
    StoreSegment,
    TargetEntry,
    VerifySegments,
)
from tasks.orders.target_looks import FindSurplus, FolderNames, PreviewEntries, PreviewResult, Surplus, SurplusResult
from tasks.receipts import (
    EmptyResult,
    ExtentNote,
    FileState,
    ManifestResult,
    PathTrouble,
    ReadResult,
    RestoreResult,
    SegmentFinding,
    VerifyResult,
)
from tasks.values import Extents
from tasks.wire import decode_receipt, encode

ENVELOPE: dict[str, Any] = {
    "run_id": "1" * 32,
    "order_id": "2" * 32,
    "device": "a",
    "device_id": "3" * 32,
    "epoch": 4,
    "attempt": 2,
    "reply_to": "manager.x",
}

STORE = StoreSegment(
    **ENVELOPE,
    segment_id="2" * 32,
    object_id="b" * 32,
    snapshot_id="5" * 32,
    volume="home",
    number=0,
    source="data",
    extents=Extents(paths=("x", "y"), offsets_bytes=(0, 0), sizes_bytes=(100_000, 7)),
    threshold_bytes=12,
    unit_bytes=64 * 1024,
    block_bytes=1024,
    level=3,
    threads=1,
)
STORED = Devices({}).stored(STORE)
KNOWN = replace(STORE, known_digests=b"1" * 16 + bytes(16 * (len(STORE.extents) - 1)))
#: The first extent is unchanged.
LEFT_OUT = replace(
    STORED,
    unchanged=(0,),
    bytes_source=sum(STORE.extents.sizes_bytes[1:]),
    bytes_stored=100,
    units_count=-(-sum(STORE.extents.sizes_bytes[1:]) // STORE.unit_bytes),
    extent_digests=KNOWN.known_digests,
)
ALL_KNOWN = replace(STORE, known_digests=b"1" * 32)
ALL_LEFT_OUT = replace(
    STORED,
    unchanged=(0, 1),
    bytes_source=0,
    bytes_stored=0,
    units_count=0,
    extent_digests=ALL_KNOWN.known_digests,
    trailer_digest="",
)

VERIFY = VerifySegments(
    **ENVELOPE,
    object_ids=("6" * 32, "7" * 32),
    stored_bytes=(100, 100),
    trailer_digests=("8" * 64, "9" * 64),
    read_data=True,
)
FINDING = SegmentFinding(object_id="6" * 32, code="damaged", message="", ranges=((0, 5),))
VERIFIED = VerifyResult(segments_count=2, bytes_read=200, findings=(FINDING,))

RESTORE = RestoreSegment(
    **ENVELOPE,
    object_id="6" * 32,
    trailer_digest="8" * 64,
    target="t",
    paths=("whole", "large"),
    stream_offsets_bytes=(0, 10),
    offsets_bytes=(0, 1000),
    sizes_bytes=(10, 50),
    metadata=((0o600, 0, 0, 0), ()),
    overwrite="if-changed",
    threads=1,
)
ENTRIES = RestoreEntries(
    **ENVELOPE,
    target="t",
    entries=(TargetEntry(kind="file", path="large", mode=0o600, uid=0, gid=0, mtime_ns=0, size_bytes=2000),),
    overwrite="if-changed",
)
NOTHING = RestoreResult(files_count=0, bytes_restored=0, skipped_count=0, troubles=())

EMPTY = ConfirmEmpty(**ENVELOPE, source="data", paths=("x", "y"), sizes_bytes=(0, 0))
WRITTEN = ExtentNote(index=1, trouble="changed", read_bytes=0, message="")

READ = ReadSegment(**ENVELOPE, object_id="6" * 32, trailer_digest="8" * 64, stream_offset_bytes=0, size_bytes=5)
GET = GetManifest(**ENVELOPE, name="5" * 32 + ".manifest")
LIST = GetManifest(**ENVELOPE, name="")
PUT = PutManifest(**ENVELOPE, name="5" * 32 + ".manifest", data=b"", digest="0" * 64)
IMAGE = PrepareImage(**ENVELOPE, target="t", size_bytes=5, zero_offsets_bytes=(), zero_sizes_bytes=(), force=False)

FIND = FindSurplus(**ENVELOPE, target="t", folders=(FolderNames(path="d", names=("known",)),))
SURPLUS = SurplusResult(
    found=(Surplus(path="d/new", kind="file"),), common_count=1, elsewhere_count=0, troubles=(), rest=0, after="new"
)
PREVIEW = PreviewEntries(**ENVELOPE, target="t", entries=ENTRIES.entries, overwrite="always")


def trouble(path: str, offset_bytes: int, size_bytes: int, code: str = "damaged") -> RestoreResult:
    row = PathTrouble(path=path, offset_bytes=offset_bytes, size_bytes=size_bytes, code=code, message="")
    return replace(NOTHING, troubles=(row,))


def is_taken(order: Order, result: Any) -> bool:
    return answers(receipt_for(order, result), order)


HONEST: list[tuple[Order, Any]] = [
    (STORE, STORED),
    (KNOWN, LEFT_OUT),
    (KNOWN, STORED),
    (ALL_KNOWN, ALL_LEFT_OUT),
    (VERIFY, VERIFIED),
    (VERIFY, replace(VERIFIED, findings=())),
    (RESTORE, replace(NOTHING, files_count=1, bytes_restored=60)),
    (RESTORE, trouble("whole", 0, -1)),
    (RESTORE, trouble("large", 1010, 40)),
    (RESTORE, trouble("large", 1000, 0, "metadata")),
    (ENTRIES, trouble("large", 0, -1, "skipped")),
    (EMPTY, EmptyResult(notes=(WRITTEN,))),
    (READ, ReadResult(data_base64=base64.b64encode(b"12345").decode())),
    (GET, ManifestResult(data_base64="e30=")),
    (LIST, ManifestResult(names=("5" * 32 + ".manifest", "5" * 32 + ".000000.part"))),
    (PUT, ManifestResult()),
    (IMAGE, NOTHING),
    (FIND, SURPLUS),
    (PREVIEW, PreviewResult(fates=("new",))),
]

LIES: dict[str, tuple[Order, Any]] = {
    "as many bytes as a database holds": (STORE, replace(STORED, bytes_stored=2**56)),
    "far more bytes than the segment has": (STORE, replace(STORED, bytes_stored=10 * STORED.bytes_source)),
    "other units": (STORE, replace(STORED, units_count=2**40)),
    "digests of more extents": (STORE, replace(STORED, extent_digests=STORED.extent_digests + bytes(16))),
    "that is unchanged what nobody knew": (KNOWN, replace(LEFT_OUT, unchanged=(0, 1))),
    "that is unchanged what is none of the extents": (KNOWN, replace(LEFT_OUT, unchanged=(0, 7))),
    "bytes of a segment that there is not": (ALL_KNOWN, replace(ALL_LEFT_OUT, bytes_stored=1)),
    "a segment of nothing": (ALL_KNOWN, replace(ALL_LEFT_OUT, trailer_digest="0" * 64)),
    "twice what is unchanged": (KNOWN, replace(LEFT_OUT, unchanged=(0, 0))),
    "another digest of what is unchanged": (
        KNOWN,
        replace(LEFT_OUT, extent_digests=bytes(32)),
    ),
    "that nothing is stored, though not all is unchanged": (KNOWN, replace(LEFT_OUT, trailer_digest="")),
    "cells of what is smaller than one": (STORE, replace(STORED, cell_digests=bytes(16))),
    "the state of a bundle": (STORE, replace(STORED, file_state=FileState(size_bytes=1, mtime_ns=1, ctime_ns=1))),
    "a finding of a segment that nobody asked about": (
        VERIFY,
        replace(VERIFIED, findings=(replace(FINDING, object_id="f" * 32),)),
    ),
    "trouble with an empty file that nobody asked about": (EMPTY, EmptyResult(notes=(replace(WRITTEN, index=2),))),
    "two troubles with one empty file": (EMPTY, EmptyResult(notes=(WRITTEN, WRITTEN))),
    "two findings of one segment": (VERIFY, replace(VERIFIED, findings=(FINDING, FINDING))),
    "more segments than were to be checked": (VERIFY, replace(VERIFIED, segments_count=2**62)),
    "trouble with a file of somebody else": (RESTORE, trouble("other", 0, 5)),
    "trouble beyond the extent": (RESTORE, trouble("large", 0, 2000)),
    "the loss of all of a file of which it has a piece": (RESTORE, trouble("large", 0, -1)),
    "that the piece of a file is skipped": (RESTORE, trouble("large", 0, -1, "skipped")),
    "more bytes than were to be restored": (RESTORE, replace(NOTHING, bytes_restored=61)),
    "more bytes than were to be found": (RESTORE, replace(NOTHING, bytes_restored=30, bytes_reused=31)),
    "bytes that were compared though nobody asked": (RESTORE, replace(NOTHING, verified_bytes=1)),
    "more files than were to be restored": (RESTORE, replace(NOTHING, files_count=2**62)),
    "more files than were to be skipped": (RESTORE, replace(NOTHING, skipped_count=3)),
    "trouble with another entry": (ENTRIES, trouble("other", 0, -1)),
    "a hole in an entry": (ENTRIES, trouble("large", 0, 2000)),
    "that an entry is skipped which may be overwritten": (
        replace(ENTRIES, overwrite="always"),
        trouble("large", 0, -1, "skipped"),
    ),
    "fewer bytes than were read": (READ, ReadResult(data_base64="MTIz")),
    "a range in bad base64": (READ, ReadResult(data_base64="MTIzNDU")),
    "a manifest in bad base64": (GET, ManifestResult(data_base64="!")),
    "a manifest in letters that are no ASCII": (GET, ManifestResult(data_base64="é")),
    "names for a manifest": (GET, ManifestResult(names=("5" * 32 + ".manifest",))),
    "names that lead out": (LIST, ManifestResult(names=("../../etc/passwd",))),
    "what nobody put": (PUT, ManifestResult(data_base64="e30=")),
    "surplus in another folder": (FIND, replace(SURPLUS, found=(Surplus(path="e/new", kind="file"),))),
    "surplus that the snapshot has": (FIND, replace(SURPLUS, found=(Surplus(path="d/known", kind="file"),))),
    "a folder itself as surplus": (FIND, replace(SURPLUS, found=(Surplus(path="d", kind="directory"),))),
    "surplus that leads out": (FIND, replace(SURPLUS, found=(Surplus(path="d/..", kind="directory"),))),
    "more common names than were asked about": (FIND, replace(SURPLUS, common_count=2)),
    "a rest that nobody asked about": (FIND, replace(SURPLUS, rest=1)),
    "fates of other entries": (PREVIEW, PreviewResult(fates=("new", "kept"))),
    "removals that nobody ordered": (RESTORE, replace(NOTHING, removed_count=1)),
    "trouble with an image": (IMAGE, trouble("", 0, 5)),
}


@pytest.mark.parametrize(("order", "result"), HONEST, ids=[type(order).__name__ for order, _ in HONEST])
def test_an_honest_answer_is_taken(order: Order, result: Any) -> None:
    assert is_taken(order, result)


@pytest.mark.parametrize(("order", "result"), LIES.values(), ids=LIES)
def test_an_answer_that_cannot_be_true_is_dropped(order: Order, result: Any) -> None:
    assert not is_taken(order, result)


@pytest.mark.parametrize(
    "change",
    [
        {"bytes_stored": 2**63 - 1},
        {"free_bytes": 2**63 - 1},
        {"trailer_digest": "short"},
        {"timing": {**encode(STORED.timing), "read_s": float("nan")}},
        {"timing": {**encode(STORED.timing), "read_s": float("inf")}},
        {"file_state": {"size_bytes": 1, "mtime_ns": 2**200, "ctime_ns": 0}},
    ],
    ids=["bytes stored", "free bytes", "digest", "not a number", "infinite", "time"],
)
def test_a_number_that_no_device_has_is_not_even_a_receipt(change: dict[str, Any]) -> None:
    wire = encode(receipt_for(STORE, STORED))
    wire["result"] |= change

    with pytest.raises(MessageError):
        decode_receipt(wire)
