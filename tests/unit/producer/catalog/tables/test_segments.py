from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import NewSegment
from producer.catalog.tables.segments.totals import SegmentTotals
from producer.listing.places.stored_cells import pack_layout
from tasks.errors import CatalogError
from tasks.values import Extents


def numbers(rows: object) -> list[int]:
    return [row.number for row in rows]  # type: ignore[attr-defined]


def state(catalog: Catalog, snapshot: str) -> str:
    """The state of the first segment."""
    (row,) = catalog.segments.by_number(snapshot, [0])
    return row.state


def feed(catalog: Catalog, snapshot: str, device: str = "a", epoch: int = 1) -> bool:
    return catalog.transitions.mark_fed(snapshot, [0], device, epoch) == 1


def store(catalog: Catalog, snapshot: str, device: str = "a", epoch: int = 1) -> bool:
    return catalog.transitions.record_stored(
        snapshot,
        0,
        device=device,
        device_id=device * 32,
        epoch=epoch,
        bytes_stored=40,
        object_id=uuid4().hex,
        trailer_digest=b"t" * 32,
    )


def fail(catalog: Catalog, snapshot: str, device: str = "a", epoch: int = 1, attempt: int = 1) -> bool:
    return catalog.transitions.record_failed(
        snapshot, 0, device=device, epoch=epoch, attempt=attempt, reason="device", message="I/O error"
    )


def replan(catalog: Catalog, snapshot: str) -> bool:
    return catalog.transitions.replan(snapshot, [0], "b") == 1


def supersede(catalog: Catalog, snapshot: str) -> bool:
    return catalog.transitions.supersede(snapshot, [0]) == 1


Step = Callable[[Catalog, str], bool]

#: state → the steps that lead to it from planned
WAYS: dict[str, list[Step]] = {
    "planned": [],
    "fed": [feed],
    "stored": [feed, store],
    "failed": [feed, fail],
    "superseded": [supersede],
}

#: (state, step) → state afterwards; every pair that is not here changes nothing and says so.
MOVES: dict[tuple[str, Step], str] = {
    ("planned", feed): "fed",
    ("planned", store): "stored",
    ("planned", replan): "planned",
    ("planned", supersede): "superseded",
    ("fed", store): "stored",
    ("fed", fail): "failed",
    ("fed", replan): "planned",
    ("fed", supersede): "superseded",
    ("failed", store): "stored",
    ("failed", replan): "planned",
    ("failed", supersede): "superseded",
    ("stored", supersede): "superseded",
}


@pytest.mark.parametrize("step", [feed, store, fail, replan, supersede])
@pytest.mark.parametrize("before", WAYS)
def test_a_segment_moves_between_its_states_only_as_drawn(
    catalog: Catalog, planned: str, before: str, step: Step
) -> None:
    assert all(way(catalog, planned) for way in WAYS[before])
    assert state(catalog, planned) == before

    changed = step(catalog, planned)

    assert changed == ((before, step) in MOVES)
    assert state(catalog, planned) == MOVES.get((before, step), before)


def test_planned_segments_are_taken_in_plan_order_for_one_device(catalog: Catalog, planned: str) -> None:
    assert numbers(catalog.segments.take_planned(planned, "a", 2)) == [0, 2]
    assert numbers(catalog.segments.take_planned(planned, "b", 10)) == [1, 3]


def test_a_fed_segment_is_not_taken_again(catalog: Catalog, planned: str) -> None:
    assert catalog.transitions.mark_fed(planned, [0, 2], "a", epoch=7) == 2

    assert numbers(catalog.segments.take_planned(planned, "a", 10)) == [4]
    fed = [row for row in catalog.segments.valid(planned) if row.state == "fed"]
    assert numbers(fed) == [0, 2]
    assert fed[0].epoch == 7
    assert fed[0].fed_at is not None
    assert fed[0].fed_at.utcoffset() is not None


def test_what_the_receipt_said_is_kept(catalog: Catalog, planned: str) -> None:
    note = {"index": 0, "trouble": "vanished", "read_bytes": 0, "message": "gone: caf\udce9"}
    catalog.transitions.mark_fed(planned, [1], "b", 1)
    catalog.transitions.record_stored(
        planned,
        1,
        device="b",
        device_id="b" * 32,
        epoch=1,
        bytes_stored=40,
        notes=[note],
        file_state={"size_bytes": 100, "mtime_ns": 1, "ctime_ns": 2},
        timing={"total_s": 0.5},
        object_id="0" * 32,
        trailer_digest=b"t" * 32,
        extent_digests=b"e" * 16,
        cell_digests=b"c" * 32,
    )

    (row,) = catalog.segments.stored(planned)

    assert (row.device, row.device_id, row.bytes_stored) == ("b", "b" * 32, 40)
    assert row.notes == [note]
    assert row.file_state == {"size_bytes": 100, "mtime_ns": 1, "ctime_ns": 2}
    assert row.timing == {"total_s": 0.5}
    assert row.cell_digests == b"c" * 32


def test_a_displaced_segment_that_is_put_back_has_its_digests(catalog: Catalog, planned: str) -> None:
    feed(catalog, planned)
    stored = {
        "device": "a",
        "device_id": "a" * 32,
        "epoch": 1,
        "bytes_stored": 40,
        "object_id": "0" * 32,
        "trailer_digest": b"t" * 32,
    }
    digests = {"extent_digests": b"e" * 16, "cell_digests": b"c" * 32}
    layout = pack_layout(Extents(paths=("file",), offsets_bytes=(0,), sizes_bytes=(100,)))
    catalog.transitions.record_stored(planned, 0, **stored, **digests, layout=layout)  # type: ignore[arg-type]
    (before,) = catalog.segments.by_number(planned, [0])

    catalog.transitions.plan_again(planned, [0], "b")
    assert catalog.transitions.put_back(planned, before)

    assert catalog.segments.by_number(planned, [0])[0].cell_digests == b"c" * 32
    assert catalog.cells.of(before.segment_id) == {0: (100, b"e" * 16)}


def test_a_receipt_that_comes_twice_counts_once(catalog: Catalog, planned: str) -> None:
    feed(catalog, planned)

    assert store(catalog, planned)
    assert not store(catalog, planned, device="b")

    (row,) = catalog.segments.stored(planned)
    assert row.device == "a"


def test_a_late_receipt_of_a_device_that_lost_the_segment_still_counts_once(catalog: Catalog, planned: str) -> None:
    feed(catalog, planned)
    replan(catalog, planned)
    feed(catalog, planned, device="b", epoch=3)

    assert store(catalog, planned, device="a", epoch=1)
    assert not store(catalog, planned, device="b", epoch=3)


def test_a_failure_goes_into_the_history_and_raises_the_attempt(catalog: Catalog, planned: str) -> None:
    feed(catalog, planned)
    assert fail(catalog, planned)
    (row,) = catalog.segments.failed(planned)
    assert (row.attempt, row.last_error) == (2, "I/O error")

    replan(catalog, planned)
    feed(catalog, planned, device="b", epoch=5)
    assert fail(catalog, planned, device="b", epoch=5, attempt=2)

    history = catalog.transitions.attempts(planned)
    assert [(row.attempt, row.device, row.outcome, row.reason) for row in history] == [
        (1, "a", "failed", "device"),
        (2, "b", "failed", "device"),
    ]


@pytest.mark.parametrize("stale", [{"attempt": 2}, {"epoch": 0}, {"device": "b"}])
def test_a_failure_of_another_try_than_the_one_under_way_changes_nothing(
    catalog: Catalog, planned: str, stale: dict[str, object]
) -> None:
    feed(catalog, planned)

    assert not fail(catalog, planned, **stale)  # type: ignore[arg-type]

    assert state(catalog, planned) == "fed"
    assert catalog.transitions.attempts(planned) == []


def test_a_reroute_is_counted_when_the_device_changes(catalog: Catalog, planned: str) -> None:
    catalog.transitions.mark_fed(planned, [0, 2], "a", 1)

    assert catalog.transitions.replan(planned, [0, 1, 2], "b") == 3

    rows = catalog.segments.take_planned(planned, "b", 10)
    assert [(row.number, row.rerouted_count) for row in rows] == [(0, 1), (1, 0), (2, 1), (3, 0)]


def test_totals_add_up_by_device_and_state(catalog: Catalog, planned: str) -> None:
    feed(catalog, planned)
    fail(catalog, planned)
    replan(catalog, planned)
    feed(catalog, planned, device="b")
    store(catalog, planned, device="b")

    def totals(device: str, state: str, segments: int, stored: int, rerouted: int) -> SegmentTotals:
        return SegmentTotals(
            device=device,
            state=state,  # type: ignore[arg-type]
            segments_count=segments,
            bytes_source=segments * 100,
            bytes_stored=stored,
            rerouted_count=rerouted,
            retried_count=rerouted,
        )

    assert catalog.totals.by_state(planned) == [
        totals("a", "planned", 2, 0, 0),
        totals("b", "planned", 2, 0, 0),
        totals("b", "stored", 1, 40, 1),
    ]


def test_a_plan_of_more_rows_than_one_page_comes_back_whole_and_in_order(
    catalog: Catalog, begin_snapshot: Callable[..., str]
) -> None:
    snapshot = begin_snapshot()
    count = 11_000
    catalog.segments.add(snapshot, (NewSegment(i, uuid4().hex, "a", i, i + 1, 0, 1) for i in range(count)))
    with catalog.transaction():
        catalog.transitions.mark_fed(snapshot, range(count), "a", 1)
        catalog.transitions.replan(snapshot, range(count - 1), "b")

    assert [(total.device, total.segments_count) for total in catalog.totals.by_state(snapshot)] == [
        ("a", 1),
        ("b", count - 1),
    ]
    assert numbers(catalog.segments.take_planned(snapshot, "b", count)) == list(range(count - 1))


def test_stored_segments_can_be_read_while_the_reader_writes(
    catalog: Catalog, begin_snapshot: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = begin_snapshot()
    # Several pages, without the rows that it takes to fill them.
    monkeypatch.setattr("producer.catalog.tables.segments.segments._PAGE_ROWS", 100)
    count = 250
    catalog.segments.add(snapshot, (NewSegment(i, uuid4().hex, "a", i, i + 1, 0, 1) for i in range(count)))
    with catalog.transaction():
        for number in range(count):
            catalog.transitions.record_stored(
                snapshot,
                number,
                device="a",
                device_id="a" * 32,
                epoch=1,
                bytes_stored=1,
                object_id=uuid4().hex,
                trailer_digest=b"t" * 32,
            )

    seen = 0
    for row in catalog.segments.stored(snapshot):
        assert row.number == seen
        if seen % 40 == 0:
            catalog.transitions.supersede(snapshot, [row.number])
        seen += 1
    assert seen == count


def test_a_segment_id_names_one_segment(catalog: Catalog, planned: str) -> None:
    rows = [NewSegment(9, "9" * 32, "a", 0, 1, 0, 1), NewSegment(10, f"{0:032x}", "a", 0, 1, 0, 1)]

    with pytest.raises(CatalogError, match="segment_id"):
        catalog.segments.add(planned, rows)

    assert catalog.segments.by_number(planned, [9, 10]) == [], "none of the rows may stay"


def test_an_unknown_snapshot_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="not in the catalog"):
        catalog.totals.by_state("f" * 32)
