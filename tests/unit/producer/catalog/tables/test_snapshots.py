from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import NewSegment
from producer.catalog.tables.snapshots.rows import NewSnapshot, SnapshotPlan, SourceRow
from tasks.errors import CatalogError, UsageError

BeginSnapshot = Callable[..., str]

PLAN = SnapshotPlan(
    threshold_bytes=250,
    bundle_limit_bytes=100,
    unit_bytes=64,
    block_bytes=16,
    level=3,
    entries_count=50,
    files_count=40,
    bytes_source=500,
    segments_count=5,
)


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def ids(rows: object) -> list[str]:
    return [row.snapshot_id for row in rows]  # type: ignore[attr-defined]


def test_a_snapshot_goes_from_begun_to_planned_to_sealed(catalog: Catalog) -> None:
    new = NewSnapshot(
        snapshot_id="c" * 32,
        pool_id="b" * 32,
        volume="home",
        mode="files",
        hostname="host",
        tags=("daily", "before upgrade"),
        sources=(SourceRow(name="data", path="/srv/data"), SourceRow(name="data-2", path="/mnt/data")),
        request={"level": 3, "exclude": ["*.tmp"]},
        started_at=day(1),
    )
    catalog.snapshots.begin(new)
    begun = catalog.snapshots.get("c" * 32)
    assert (begun.state, begun.planned_at, begun.sealed_at, begun.segments_count) == ("open", None, None, 0)
    assert (begun.tags, begun.sources, begun.request) == (new.tags, new.sources, new.request)
    assert begun.started_at == day(1)

    catalog.snapshots.set_plan("c" * 32, PLAN)
    planned = catalog.snapshots.get("c" * 32)
    assert planned.planned_at is not None
    assert (planned.threshold_bytes, planned.entries_count, planned.level) == (250, 50, 3)

    catalog.segments.add("c" * 32, [NewSegment(0, "d" * 32, "a", 0, 50, 0, 500)])
    catalog.transitions.record_stored(
        "c" * 32,
        0,
        device="a",
        device_id="a" * 32,
        epoch=1,
        bytes_stored=123,
        object_id=uuid4().hex,
        trailer_digest=b"t" * 32,
    )
    catalog.snapshots.seal("c" * 32, day(2), b"h" * 32)
    sealed = catalog.snapshots.get("c" * 32)
    assert (sealed.state, sealed.sealed_at) == ("sealed", day(2))
    assert (sealed.segments_count, sealed.bytes_stored) == (1, 123)


def test_a_snapshot_is_not_sealed_while_a_segment_is_missing(catalog: Catalog, planned: str) -> None:
    for number in range(4):
        catalog.transitions.record_stored(
            planned,
            number,
            device="a",
            device_id="a" * 32,
            epoch=1,
            bytes_stored=1,
            object_id=uuid4().hex,
            trailer_digest=b"t" * 32,
        )

    with pytest.raises(CatalogError, match="1 segments are not stored"):
        catalog.snapshots.seal(planned, day(2), b"h" * 32)
    assert catalog.snapshots.all() == []

    catalog.transitions.supersede(planned, [4])
    catalog.snapshots.seal(planned, day(2), b"h" * 32)
    assert catalog.snapshots.get(planned).segments_count == 4


def test_a_snapshot_without_data_can_be_sealed(catalog: Catalog, begin_snapshot: BeginSnapshot) -> None:
    snapshot = begin_snapshot()
    catalog.snapshots.seal(snapshot, day(2), b"h" * 32)
    assert catalog.snapshots.get(snapshot).bytes_stored == 0


def test_a_sealed_snapshot_is_neither_planned_nor_sealed_nor_discarded(
    catalog: Catalog, begin_snapshot: BeginSnapshot
) -> None:
    snapshot = begin_snapshot()
    catalog.snapshots.seal(snapshot, day(2), b"h" * 32)

    with pytest.raises(CatalogError, match="not open"):
        catalog.snapshots.set_plan(snapshot, PLAN)
    with pytest.raises(CatalogError, match="not open"):
        catalog.snapshots.seal(snapshot, day(3), b"h" * 32)
    with pytest.raises(CatalogError, match="not open"):
        catalog.snapshots.discard(snapshot)


def test_only_sealed_snapshots_are_listed_in_the_order_of_their_making_whatever_the_clock_said(
    catalog: Catalog, begin_snapshot: BeginSnapshot
) -> None:
    old, young, still_open = (begin_snapshot(started_at=day(number)) for number in (3, 1, 2))
    for snapshot in (young, old):
        catalog.snapshots.seal(snapshot, day(5), b"h" * 32)

    assert ids(catalog.snapshots.all()) == [old, young]
    assert ids(catalog.snapshots.all("open")) == [still_open]
    assert catalog.snapshots.find("latest").snapshot_id == young


def test_the_open_snapshots_of_a_volume_come_newest_first(catalog: Catalog, begin_snapshot: BeginSnapshot) -> None:
    volume = "na\udcefve"
    first, second = (begin_snapshot(volume=volume, started_at=day(number)) for number in (1, 2))
    begin_snapshot(volume="other")

    assert ids(catalog.snapshots.open_of(volume)) == [second, first]


def test_a_snapshot_is_found_by_eight_digits_of_its_id_or_more(catalog: Catalog, begin_snapshot: BeginSnapshot) -> None:
    snapshot = "0123456789abcdef" * 2
    begin_snapshot(snapshot)
    begin_snapshot("f" * 32)
    catalog.snapshots.seal(snapshot, day(2), b"h" * 32)

    for name in ("01234567", "0123456789ABCDEF", snapshot):
        assert catalog.snapshots.find(name).snapshot_id == snapshot
    assert catalog.snapshots.find("f" * 8, state="open").snapshot_id == "f" * 32


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("0123456", "8 or more hex digits"),
        ("", "8 or more hex digits"),
        ("0123456%", "8 or more hex digits"),
        ("0" * 33, "8 or more hex digits"),
        ("Latest", "8 or more hex digits"),
        ("2026-11-20", "8 or more hex digits"),
        ("latest~2", "there are fewer snapshots"),
        ("other@latest", "no snapshot of volume other yet"),
        ("home@2024-11-20", "no snapshot of volume home by then"),
        ("99999999", "no snapshot begins with 99999999"),
        ("00000000", "several snapshots begin with 00000000"),
        ("ffffffff", "no snapshot begins with ffffffff"),
    ],
)
def test_a_name_that_means_no_sealed_snapshot_is_wrong_usage_and_says_why(
    catalog: Catalog, begin_snapshot: BeginSnapshot, name: str, message: str
) -> None:
    for last_digit in "12":
        catalog.snapshots.seal(begin_snapshot("0" * 31 + last_digit), day(2), b"h" * 32)
    begin_snapshot("f" * 32)  # open

    with pytest.raises(UsageError, match=message) as caught:
        catalog.snapshots.find(name)
    assert "segfleet snapshots" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a@latest", "a3"),
        ("a@latest~2", "a1"),
        ("c@latest", "c2"),
        ("a@2026-01-02", "a1"),
        ("a@2026-01-04", "a3"),
        ("a@2026-01-03", "a2"),
        ("c@2030-01-01", "c2"),
    ],
)
def test_a_snapshot_is_found_by_its_volume_and_time(
    catalog: Catalog, begin_snapshot: BeginSnapshot, name: str, found: str
) -> None:
    made: dict[str, str] = {}
    for volume, number in (("a", 1), ("a", 2), ("c", 1), ("a", 3), ("c", 2)):
        snapshot_id = begin_snapshot(volume=volume, started_at=day(number + 1))
        catalog.snapshots.seal(snapshot_id, day(number + 1), b"h" * 32)
        made[snapshot_id] = f"{volume}{number}"
    assert made[catalog.snapshots.find(name).snapshot_id] == found


def test_a_day_that_is_none_is_refused(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="2026-13-20 is not a date"):
        catalog.snapshots.find("home@2026-13-20")


def test_latest_without_a_volume_is_refused_where_there_are_several(
    catalog: Catalog, begin_snapshot: BeginSnapshot
) -> None:
    for volume in ("home", "srv"):
        catalog.snapshots.seal(begin_snapshot(volume=volume), day(2), b"h" * 32)
    for name in ("latest", "latest~1"):
        with pytest.raises(UsageError, match=f"{name} of which volume") as caught:
            catalog.snapshots.find(name)
        assert caught.value.hint == f"name one: home@{name}, srv@{name}"
    assert catalog.snapshots.find("srv@latest").volume == "srv"
    assert catalog.snapshots.find("latest", volume="srv").volume == "srv"


def test_latest_of_what_is_unfinished_is_refused_where_several_volumes_have_some(
    catalog: Catalog, begin_snapshot: BeginSnapshot
) -> None:
    catalog.snapshots.seal(begin_snapshot(volume="home"), day(2), b"h" * 32)
    only = begin_snapshot(volume="srv")
    assert catalog.snapshots.find("latest", "open").snapshot_id == only
    begin_snapshot(volume="home")
    with pytest.raises(UsageError, match="of which volume"):
        catalog.snapshots.find("latest", "open")


def test_latest_of_an_empty_catalog_says_that_there_is_none(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="there is no snapshot yet") as caught:
        catalog.snapshots.find("latest")
    assert caught.value.hint == "segfleet backup makes one"


def test_a_discarded_snapshot_leaves_nothing_behind(catalog: Catalog, planned: str) -> None:
    catalog.listing.add_part(planned, 0, 0, 50, b"part")

    catalog.snapshots.discard(planned)

    assert catalog.snapshots.all("open") == []
    for read in (catalog.listing.parts, catalog.segments.valid, catalog.troubles.all):
        with pytest.raises(CatalogError, match="not in the catalog"):
            list(read(planned))


def test_a_snapshot_id_is_begun_once(catalog: Catalog, begin_snapshot: BeginSnapshot) -> None:
    begin_snapshot("e" * 32)
    with pytest.raises(CatalogError):
        begin_snapshot("e" * 32)


def test_a_discarded_snapshot_of_which_something_may_be_stored_is_forgotten(catalog: Catalog, planned: str) -> None:
    number = next(catalog.segments.valid(planned)).number
    catalog.transitions.mark_fed(planned, [number], "a", 0)

    catalog.snapshots.discard(planned)

    assert catalog.snapshots.all("open") == catalog.snapshots.all() == []
    assert [row.snapshot_id for row in catalog.snapshots.all("forgotten")] == [planned]


def test_a_snapshot_that_was_found_has_its_place_by_its_start_and_after_its_parent(
    catalog: Catalog, begin_snapshot: BeginSnapshot
) -> None:
    known = [begin_snapshot(f"{number:032x}", started_at=day(number)) for number in (5, 9)]
    for snapshot_id in known:
        catalog.snapshots.seal(snapshot_id, day(10), b"")
    sample = catalog.snapshots.get(known[0])

    for number in (1, 2, 3, 7, 11):
        catalog.snapshots.add_sealed(replace(sample, snapshot_id=f"{number:032x}", started_at=day(number)))
    late = replace(sample, snapshot_id=f"{8:032x}", started_at=day(1), parent_id=f"{7:032x}")
    catalog.snapshots.add_sealed(late)

    assert [int(row.snapshot_id, 16) for row in catalog.snapshots.all()] == [1, 2, 3, 5, 7, 8, 9, 11]
    assert catalog.snapshots.find("latest").snapshot_id == f"{11:032x}"
