"""How segments are named, how many are fed, and how an order shows in logs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path

import pytest

from kit.models.offline import Offline, backup_request, offline
from kit.tree import Tree, noise
from producer.backup.intake.intake import Intake
from producer.backup.storing.feeder import Feeder, _within_reach
from producer.catalog.tables.segments.rows import SegmentRow
from producer.dispatch.publishing import describe_order
from producer.pool.storing.ids import segment_id
from producer.pool.storing.store_orders import StoreOrders
from tasks.orders import DescribeDevice, StoreSegment
from tasks.values import Extents, SourcePlace


def test_a_segment_has_one_id_and_no_other_has_it() -> None:
    numbers = range(3)
    fields = list(itertools.product(("1" * 32, "2" * 32), numbers, numbers, numbers, numbers))
    ids = {segment_id(*row) for row in fields}
    assert len(ids) == len(fields)
    assert ids == {segment_id(*row) for row in fields}
    assert all(len(text) == 32 and int(text, 16) >= 0 for text in ids)


def row(number: int, size_bytes: int) -> SegmentRow:
    return SegmentRow(
        snapshot_id="1" * 32,
        number=number,
        row_id=f"{number:032x}",
        segment_id=f"{number:032x}",
        device="a",
        device_id=None,
        first_entry=number,
        stop_entry=number + 1,
        offset_bytes=0,
        size_bytes=size_bytes,
        state="planned",
        attempt=1,
        epoch=0,
        bytes_stored=0,
        notes=[],
        file_state=None,
        timing=None,
        rerouted_count=0,
        fed_at=None,
        last_error="",
    )


@pytest.mark.parametrize(
    ("least_count", "ahead_bytes", "taken_count"),
    [
        (0, 0, 0),
        (2, 0, 2),
        (2, -1000, 2),
        (-5, -1, 0),
        (0, 1, 1),  # the one that begins within reach goes whole
        (0, 100, 1),
        (0, 101, 2),
        (0, 10_000, 4),
        (9, 0, 4),
    ],
)
def test_as_many_are_fed_as_begin_within_reach_but_never_fewer_than_keep_a_device_busy(
    least_count: int, ahead_bytes: float, taken_count: int
) -> None:
    rows = [row(number, 100) for number in range(4)]
    assert _within_reach(rows, least_count, ahead_bytes) == rows[:taken_count]


def fed(run: Offline, intake: Intake, places: Mapping[str, SourcePlace] | None = None) -> list[StoreSegment]:
    """The orders after one fill of the windows."""
    snapshot = run.catalog.snapshots.get(intake.snapshot_id)
    reader = run.catalog.listing.reader(snapshot.snapshot_id)
    run.wires.sent.clear()
    orders = StoreOrders(
        run.session, snapshot, reader, raw_volumes=intake.raw_volumes, threads=2, readers=3, places=places
    )
    Feeder(run.session, run.state, snapshot.snapshot_id, orders).fill()
    return [order for order in run.wires.sent if isinstance(order, StoreSegment)]


def test_a_fill_feeds_each_device_its_own_segments_in_the_order_of_the_plan(tmp_path: Path) -> None:
    sources = {"data": Tree({"large": noise(900_000), "small": b"1"}).make(tmp_path / "data")}
    with offline(tmp_path) as run:
        intake = run.plan(backup_request(sources))
        orders = fed(run, intake)
        planned = {row.segment_id: row for row in run.catalog.segments.valid(intake.snapshot_id)}
        assert {order.order_id for order in orders} == planned.keys()
        for device in "ab":
            numbers = [order.number for order in orders if order.device == device]
            assert numbers == sorted(numbers)
        for order in orders:
            of_plan = planned[order.order_id]
            assert (order.device, order.extents.total_bytes) == (of_plan.device, of_plan.size_bytes)
            assert order.device_id == intake.members[order.device].device_id
            assert (of_plan.state, order.source, order.threads, order.readers) == ("fed", "data", 2, 3)


def test_an_order_says_where_a_source_lies_that_workers_do_not_know_by_its_name(tmp_path: Path) -> None:
    sources = {name: Tree({"file": name.encode()}).make(tmp_path / name) for name in ("data", "part")}
    place = SourcePlace(source="all", path="x/part")
    with offline(tmp_path) as run:
        intake = run.plan(backup_request(sources))
        orders = fed(run, intake, places={"part": place})
        assert {order.source: order.within for order in orders} == {"data": None, "part": place}


def test_a_window_is_never_overfilled_nor_a_segment_fed_twice(tmp_path: Path) -> None:
    sources = {"data": Tree({"large": noise(4_000_000)}).make(tmp_path / "data")}
    with offline(tmp_path, "a") as run:
        intake = run.plan(backup_request(sources, "a"))
        window = run.session.courier.window_count
        assert len(list(run.catalog.segments.valid(intake.snapshot_id))) > 2 * window
        assert len(fed(run, intake)) == window
        assert fed(run, intake) == []


def store_order(source: str, *paths: str) -> StoreSegment:
    count = len(paths)
    return StoreSegment(
        run_id="1" * 32,
        order_id="abcdef01" * 4,
        device="a",
        device_id="",
        epoch=0,
        attempt=1,
        reply_to="manager.x",
        segment_id="2" * 32,
        object_id="b" * 32,
        snapshot_id="2" * 32,
        volume="home",
        number=0,
        source=source,
        extents=Extents(paths=paths, offsets_bytes=(0,) * count, sizes_bytes=(5,) * count),
        threshold_bytes=1,
        unit_bytes=64 * 1024,
        block_bytes=1024,
        level=3,
        threads=1,
    )


def test_an_order_is_described_by_its_first_file_and_its_size() -> None:
    text = describe_order(store_order("data", "a", "b", "c"))
    assert text == "segment abcdef01 on a: data/a and 2 more, 15 bytes"
    assert describe_order(store_order("data", "a")) == "segment abcdef01 on a: data/a, 5 bytes"


@pytest.mark.parametrize(
    ("source", "path"), [("data", "new\nline"), ("new\nline", "a"), ("na\udcefve", "\udcff\x1b[2J")]
)
def test_a_description_is_one_line_of_ascii_whatever_the_names(source: str, path: str) -> None:
    text = describe_order(store_order(source, path))
    assert text.isascii()
    assert text.isprintable()


def test_an_order_without_extents_is_described_by_its_device() -> None:
    order = DescribeDevice(
        run_id="1" * 32, order_id="abcdef01" * 4, device="a", device_id="", epoch=0, attempt=1, reply_to="manager.x"
    )
    assert describe_order(order) == "abcdef01 on a"
