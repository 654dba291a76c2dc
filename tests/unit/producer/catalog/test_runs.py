from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.tables.runs import RunRow
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

    assert {volume: run.run_id for volume, run in newest.items()} == {"home": "2" * 32, "mail": "5" * 32}
