"""The last 30 days, as the page keeps them from look to look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables import runs as table
from producer.catalog.tables.runs import RunRow
from producer.monitor.at_work import Process
from producer.monitor.page.history import Past
from producer.monitor.page.remembered import RememberedPast

NOW = datetime.now(UTC)


def begin(catalog: Catalog, run_id: str, minutes_ago: float = 0, **other: Any) -> None:
    row = RunRow(
        run_id=run_id,
        kind="backup",
        snapshot_id=None,
        volume="home",
        owner_host="host",
        owner_pid=1,
        started_at=NOW - timedelta(minutes=minutes_ago),
        ended_at=None,
        exit_code=None,
        summary=None,
    )
    catalog.runs.begin(replace(row, **other))


def what_it_shows(past: Past) -> tuple[object, ...]:
    return past.runs, past.days, past.strips


def test_looks_see_what_a_look_from_the_beginning_would_see(catalog: Catalog) -> None:
    remembered, moment = RememberedPast(catalog), NOW

    def look_is_right() -> None:
        nonlocal moment
        moment += timedelta(seconds=5)
        assert what_it_shows(remembered.look(moment)) == what_it_shows(RememberedPast(catalog).look(moment))

    begin(catalog, "1", minutes_ago=60 * 24 * 3)
    begin(catalog, "2", minutes_ago=60 * 24 * 40, volume="old")
    look_is_right()
    begin(catalog, "3")
    look_is_right()
    catalog.runs.end("3", 0, {"devices": {"a": {"bytes_stored": 5}}})
    look_is_right()
    catalog.runs.end("1", 130, {"error": "interrupted"})
    look_is_right()
    # Resumed under its id, today.
    begin(catalog, "1")
    look_is_right()


def test_a_run_is_interrupted_once_its_process_is_gone_although_nobody_writes(catalog: Catalog) -> None:
    remembered = RememberedPast(catalog)
    begin(catalog, "1", minutes_ago=60 * 24, ended_at=NOW, exit_code=0)
    begin(catalog, "2")
    begin(catalog, "3", volume="other", owner_pid=2)
    one, two = (Process(host="host", pid=pid, since=NOW) for pid in (1, 2))

    at_work = remembered.look(NOW, frozenset({one, two}))
    assert at_work.processes == {one, two}
    assert (at_work.strips["home"][-2:], "other" in at_work.strips) == (("done", "none"), False)
    gone = remembered.look(NOW, frozenset({one}))
    assert (gone.strips["other"][-1], gone.strips["home"][-1]) == ("interrupted", "none")
    assert remembered.look(NOW, frozenset({one})) is gone


def test_runs_that_the_history_lost_are_not_shown_any_more(catalog: Catalog) -> None:
    remembered = RememberedPast(catalog)
    for run_id in ("1", "2", "3"):
        begin(catalog, run_id, minutes_ago=60 * 24 * int(run_id), ended_at=NOW, exit_code=0)
    assert remembered.look(NOW).strips["home"].count("done") == 3
    catalog.runs.trim(NOW)
    assert remembered.look(NOW).strips["home"].count("done") == 1


def test_runs_that_came_with_an_older_history_are_read(catalog: Catalog) -> None:
    remembered = RememberedPast(catalog)
    remembered.look(NOW)
    begin(catalog, "1", minutes_ago=60 * 24 * 5, ended_at=NOW - timedelta(days=5), exit_code=3)
    assert remembered.look(NOW).strips["home"].count("partial") == 1


def test_a_look_reads_nothing_of_a_history_that_has_not_changed(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        begin(catalog, str(number), minutes_ago=60 * (number + 1), ended_at=NOW - timedelta(hours=1), exit_code=0)
    remembered = RememberedPast(catalog)
    first = remembered.look(NOW)
    monkeypatch.setattr(table, "BriefRun", None)
    assert remembered.look(NOW + timedelta(seconds=5)) is first


def test_of_a_few_runs_those_that_the_history_lost_are_not_listed_any_more(catalog: Catalog) -> None:
    remembered = RememberedPast(catalog)
    for run_id in ("1", "2", "3"):
        begin(catalog, run_id, minutes_ago=60 * 24 * 40 * int(run_id), ended_at=NOW, exit_code=0)
    assert len(remembered.look(NOW).runs) == 3
    catalog.runs.trim(NOW)
    assert len(remembered.look(NOW).runs) == 1


def test_a_run_that_begins_tomorrow_by_another_clock_is_listed_and_no_look_begins_again(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = RememberedPast(catalog)
    begin(catalog, "1", minutes_ago=60)
    begin(catalog, "2", minutes_ago=-60 * 24)
    remembered.look(NOW)
    monkeypatch.setattr(remembered, "_forget", None)
    begin(catalog, "3")
    assert [run.run_id for run in remembered.look(NOW).runs] == ["3", "2", "1"]
