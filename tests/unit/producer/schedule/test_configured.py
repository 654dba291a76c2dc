"""The schedules of the configuration become reservations, and stay what the file says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import ReservationRow
from producer.configuration.tables import ScheduleTable
from producer.schedule.asked import asked_of, called
from producer.schedule.configured import follow
from producer.schedule.reserve import find_reservations

NIGHTLY = ScheduleTable(cron="0 2 * * *", volume="home", timezone="UTC")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}") as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "segfleet.toml"
    written.touch()
    return written


def followed(catalog: Catalog, file: Path, **schedules: ScheduleTable) -> list[ReservationRow]:
    notes: list[str] = []
    follow(catalog, schedules, str(file), manager="", note=notes.append)
    assert notes == []
    return catalog.reservations.all()


def test_a_schedule_is_one_reservation_however_often_it_is_followed(catalog: Catalog, file: Path) -> None:
    [row] = followed(catalog, file, nightly=NIGHTLY)
    assert (row.volume, row.cron, row.timezone) == ("home", "0 2 * * *", "UTC")
    assert followed(catalog, file, nightly=NIGHTLY) == [row]


def test_another_time_moves_the_next_run_and_keeps_how_the_last_one_went(catalog: Catalog, file: Path) -> None:
    [row] = followed(catalog, file, nightly=NIGHTLY)
    catalog.reservations.pass_over(row, row.next_due, "missed", "nobody was there")
    [moved] = followed(catalog, file, nightly=ScheduleTable(cron="0 5 * * *", volume="home", timezone="UTC"))
    assert (moved.reservation_id, moved.last_outcome) == (row.reservation_id, "missed")
    assert moved.next_due.hour == 5


def test_another_way_with_missed_runs_leaves_the_next_run_where_it_is(catalog: Catalog, file: Path) -> None:
    [row] = followed(catalog, file, nightly=NIGHTLY)
    other = ScheduleTable(cron="0 2 * * *", volume="home", timezone="UTC", if_missed="skip")
    [changed] = followed(catalog, file, nightly=other)
    assert (changed.if_missed, changed.next_due) == ("skip", row.next_due)


def test_what_the_file_has_no_more_is_removed_and_what_another_file_has_stays(
    catalog: Catalog, file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.touch()
    followed(catalog, other, nightly=NIGHTLY)
    assert len(followed(catalog, file, nightly=NIGHTLY, daily=NIGHTLY)) == 3
    assert len(followed(catalog, file)) == 1
    other.unlink()
    assert followed(catalog, file) == []


def test_a_schedule_that_never_fires_is_reported_and_keeps_the_others(catalog: Catalog, file: Path) -> None:
    notes: list[str] = []
    never = ScheduleTable(cron="0 2 30 2 *", volume="srv", timezone="UTC")
    follow(catalog, {"never": never, "nightly": NIGHTLY}, str(file), manager="", note=notes.append)
    assert [row.volume for row in catalog.reservations.all()] == ["home"]
    [note] = notes
    assert note.startswith("schedule never: cron line '0 2 30 2 *'")


def test_a_check_and_a_prune_have_reservations_of_no_volume_with_their_own_words(catalog: Catalog, file: Path) -> None:
    weekly = ScheduleTable(cron="0 4 * * 0", timezone="UTC", check=True, read_data_subset="5%")
    monthly = ScheduleTable(cron="0 5 1 * *", timezone="UTC", prune=True)
    rows = {called(row): row for row in followed(catalog, file, weekly=weekly, monthly=monthly)}
    assert {row.volume for row in rows.values()} == {""}
    assert asked_of(rows["check"]).arguments == ("--read-data-subset=5%",)
    assert asked_of(rows["prune"]).arguments == ()
    assert [row.reservation_id for row in find_reservations(catalog, "prune")] == [rows["prune"].reservation_id]
