"""What an incomplete snapshot lacks once files of it are gone."""

from __future__ import annotations

from msgspec.structs import replace

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import LackRow
from producer.listing.entry import NOT_STORED, EntryBatch
from producer.listing.places.places import PlacesWriter
from producer.retention.rewriting.lacks import Lacking

AWAY = LackRow(device_id="d" * 32, device="b", files_count=3, size_bytes=600, omitted_files_count=1, omitted_bytes=300)


def stored(segment_id: str, device_id: str) -> StoredObject:
    return StoredObject(
        object_id=segment_id,
        segment_id=segment_id,
        device_id=device_id,
        device="",
        snapshot_id="",
        size_bytes=100,
        bytes_stored=50,
        trailer_digest=b"",
    )


def batch() -> EntryBatch:
    """``here`` lies on a device that is there, ``away`` on one that is not, ``nowhere`` on none."""
    writer = PlacesWriter(3)
    writer.add_whole(0, "1" * 32, 0)
    writer.add_whole(1, "2" * 32, 0)
    return EntryBatch(
        source="data",
        directory="",
        names=["here", "away", "nowhere"],
        kinds="fff",
        modes=[0] * 3,
        uids=[0] * 3,
        gids=[0] * 3,
        mtimes_ns=[0] * 3,
        ctimes_ns=[0] * 3,
        sizes_bytes=[100, 200, 300],
        places=writer.places(),
        unread={"nowhere": (NOT_STORED, "no room")},
    )


def lacking() -> Lacking:
    objects = {"1" * 32: [stored("1" * 32, "a" * 32)], "2" * 32: [stored("2" * 32, AWAY.device_id)]}
    return Lacking([AWAY], objects)


def test_what_lies_on_a_device_that_is_there_changes_nothing() -> None:
    found = lacking()
    found.note(batch(), 0)
    assert found.left() == (AWAY,)


def test_a_file_on_the_absent_device_and_one_on_none_are_lacking_no_more() -> None:
    found = lacking()
    found.note(batch(), 1)
    assert found.left() == (replace(AWAY, files_count=2, size_bytes=400),)
    found = lacking()
    found.note(batch(), 2)
    assert found.left() == (replace(AWAY, files_count=2, size_bytes=300, omitted_files_count=0, omitted_bytes=0),)


def test_a_device_of_which_nothing_is_lacking_any_more_is_not_named() -> None:
    one = replace(AWAY, files_count=1, size_bytes=200, omitted_files_count=0, omitted_bytes=0)
    found = Lacking([one], {"2" * 32: [stored("2" * 32, AWAY.device_id)]})
    found.note(batch(), 1)
    assert found.left() == ()
