from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.runs import NO_FIGURES, RunRow, figures_of
from producer.catalog.tables.troubles import TroubleRow
from tasks.errors import CatalogError

RUN = RunRow(
    run_id="1" * 32,
    kind="backup",
    snapshot_id=None,
    volume="home",
    owner_host="host",
    owner_pid=4242,
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    ended_at=None,
    exit_code=None,
    summary=None,
)


def test_a_run_is_in_the_history_from_its_beginning(catalog: Catalog) -> None:
    catalog.runs.begin(RUN)
    assert catalog.runs.all("home") == [RUN]


def test_a_run_keeps_how_it_ended(catalog: Catalog) -> None:
    catalog.runs.begin(RUN)
    catalog.runs.end(RUN.run_id, 3, {"files": 7, "errors": 1}, snapshot_id="5" * 32)

    (ended,) = catalog.runs.all()
    assert (ended.exit_code, ended.summary, ended.snapshot_id) == (3, {"files": 7, "errors": 1}, "5" * 32)
    assert ended.ended_at is not None


def test_the_history_of_a_volume_is_newest_first(catalog: Catalog) -> None:
    younger = replace(RUN, run_id="2" * 32, started_at=datetime(2026, 1, 2, tzinfo=UTC))
    elsewhere = replace(RUN, run_id="3" * 32, volume="other")
    for run in (RUN, younger, elsewhere):
        catalog.runs.begin(run)

    assert catalog.runs.all("home") == [younger, RUN]
    assert len(catalog.runs.all()) == 3


def test_a_run_that_never_began_cannot_end(catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="not in the catalog"):
        catalog.runs.end("9" * 32, 0, {})


def test_troubles_keep_any_name_and_message(catalog: Catalog, begin_snapshot: Callable[..., str]) -> None:
    snapshot, other = begin_snapshot(), begin_snapshot()
    rows = [
        TroubleRow(entry_index=4, path="new\nline/caf\udce9", code="vanished", message='it said "no\\"\x00'),
        TroubleRow(entry_index=None, path="Zürich/東京", code="unreadable", message=""),
    ]
    catalog.troubles.add(snapshot, rows)
    catalog.troubles.add(other, [])

    assert catalog.troubles.all(snapshot) == rows
    assert catalog.troubles.count(snapshot) == 2
    assert catalog.troubles.all(other) == []


def test_the_newest_run_of_each_volume_is_found_without_its_history(catalog: Catalog) -> None:
    later = datetime(2026, 1, 2, tzinfo=UTC)
    for run in (
        RUN,
        replace(RUN, run_id="2" * 32, started_at=later),
        replace(RUN, run_id="3" * 32, started_at=later),
        replace(RUN, run_id="4" * 32, started_at=datetime(2026, 1, 3, tzinfo=UTC), kind="check"),
        replace(RUN, run_id="5" * 32, volume="mail"),
    ):
        catalog.runs.begin(run)

    newest = catalog.runs.newest_of_each_volume("backup")

    assert {volume: run.run_id for volume, run in newest.items()} == {"home": "3" * 32, "mail": "5" * 32}


def test_the_last_run_is_the_newest_though_its_clock_was_set_back(catalog: Catalog) -> None:
    catalog.runs.begin(replace(RUN, exit_code=1, started_at=datetime(2037, 1, 1, tzinfo=UTC)))
    last = replace(RUN, run_id="2" * 32, exit_code=0)
    catalog.runs.begin(last)

    assert catalog.runs.all()[0] == last
    assert [run.run_id for run in catalog.runs.last(1)] == [last.run_id]
    assert catalog.runs.newest("backup", "home") == last
    assert catalog.runs.newest_of_each_volume("backup") == {"home": last}
    assert catalog.runs.unfinished_since("backup") is None


def run_of_day(day: int, volume: str = "home") -> RunRow:
    return replace(RUN, run_id=f"{day:032x}", volume=volume, started_at=RUN.started_at + timedelta(days=day))


def days(catalog: Catalog) -> list[int]:
    return sorted(int(run.run_id, 16) for run in catalog.runs.all())


def test_old_runs_are_removed_but_the_newest_of_each_kind_of_each_volume_stays(catalog: Catalog) -> None:
    check = replace(run_of_day(2), kind="check")
    for run in (*map(run_of_day, (0, 1)), check, run_of_day(3, "mail"), *map(run_of_day, (10, 11))):
        catalog.runs.begin(run)

    assert catalog.runs.trim(RUN.started_at + timedelta(days=11)) == 3

    assert days(catalog) == [2, 3, 11]


def test_the_old_runs_of_one_volume_are_removed_alone(catalog: Catalog) -> None:
    for run in (*map(run_of_day, (0, 1)), run_of_day(2, "mail"), run_of_day(3, "mail")):
        catalog.runs.begin(run)

    assert catalog.runs.trim(RUN.started_at + timedelta(days=9), "mail") == 1

    assert days(catalog) == [0, 1, 3]


def test_the_history_is_bounded_by_itself(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producer.catalog.tables.runs.HISTORY_COUNT", 5)
    catalog.runs.begin(run_of_day(0, "mail"))
    for day in range(1, 20):
        catalog.runs.begin(run_of_day(day))

    assert days(catalog) == [0, 15, 16, 17, 18, 19]


def test_a_run_that_has_ended_does_not_begin_again(catalog: Catalog) -> None:
    catalog.runs.begin(RUN)
    catalog.runs.end(RUN.run_id, 0, {})

    with pytest.raises(CatalogError, match="has ended already, with exit code 0"):
        catalog.runs.begin(RUN)


def test_the_newest_run_that_has_ended_is_found_behind_those_that_have_not(catalog: Catalog) -> None:
    for day in range(3):
        catalog.runs.begin(run_of_day(day))
    catalog.runs.end(f"{1:032x}", 3, {})
    newest = catalog.runs.newest("backup", "home")
    assert newest is not None
    assert newest.run_id == f"{1:032x}"
    assert catalog.runs.newest("check", "home") is None


def test_runs_that_began_or_ended_since_a_moment_are_the_changed_ones(catalog: Catalog) -> None:
    for day in range(3):
        catalog.runs.begin(run_of_day(day))
    catalog.runs.end(f"{0:032x}", 0, {})
    moment = RUN.started_at + timedelta(days=2)
    assert {int(run.run_id, 16) for run in catalog.runs.changed_since(moment)} == {0, 2}


def test_figures_of_a_summary_are_read_with_bytes_that_are_no_utf_8(catalog: Catalog) -> None:
    error = "cannot read /srv/\udcff\U0001f642"
    catalog.runs.begin(RUN)
    catalog.runs.end(RUN.run_id, 3, {"error": error, "files": 7, "devices": {"a": {"bytes_stored": 5, "new": True}}})
    (run,) = catalog.runs.last(1)
    assert (run.figures.error, run.figures.files) == (error, 7)
    assert run.figures.devices["a"].bytes_stored == 5


def test_a_strange_summary_has_no_figures() -> None:
    assert figures_of('{"files": "many"}') == figures_of('["\\\\ud"]') == NO_FIGURES
