"""``segfleet status``: from the catalog alone."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.models.rows import T0, begin, device_row, lock, plan, record_run, reserve, store
from kit.program.command import Running
from producer.catalog.catalog import Catalog
from producer.cli.main import run
from producer.host.state import open_state


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """One device, and the volume home, which is to be backed up every day and has never been."""
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    with Catalog(open_state().catalog_url) as catalog:
        catalog.devices.record(device_row(free_bytes=500))
        reserve(catalog, "home", 1)
        yield catalog


@contextmanager
def watching() -> Iterator[Running]:
    """`status --watch` in a process of its own."""
    running = Running(["status", "--watch", "--json"], environment=os.environ, folder=Path.cwd())
    try:
        running.wait_for_row(lambda row: row.get("phase") == "storing", "the run is shown")
        yield running
    finally:
        running.end()


def back_up_half(catalog: Catalog) -> str:
    """A backup of home under way, with one of two segments stored; returns the id of its lock's owner."""
    owner_id = lock(catalog, "home")
    record_run(catalog, "home", exit_code=None)
    snapshot_id = begin(catalog, "home")
    plan(catalog, snapshot_id, 2)
    store(catalog, snapshot_id, 0)
    return owner_id


def lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run(["status", *arguments]) == 0
    return capsys.readouterr().out.splitlines()


def row_of(first: str, table: list[str]) -> str:
    return next(line for line in table if line.split()[:1] == [first])


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(capsys, *arguments, "--json")]


def test_the_state_of_a_run_under_way_is_its_phase_and_how_far_it_is(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    back_up_half(catalog)
    assert row_of("home", lines(capsys)).split()[:4] == ["home", "storing", "50", "%"]


def test_in_json_the_phase_and_the_bytes_have_fields_of_their_own(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    back_up_half(catalog)
    _, volume, _ = rows(capsys)
    assert (volume["state"], volume["phase"], volume["bytes_done"], volume["bytes_total"]) == (
        "running",
        "storing",
        100,
        200,
    )


def test_a_volume_shows_when_it_is_due_and_what_came_of_the_last_time(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    [reservation] = catalog.reservations.all()
    now = datetime.now(UTC)
    catalog.reservations.claim(reservation, now, "owner")
    catalog.reservations.end(reservation, "owner", "failed", "no device is left")

    table = lines(capsys)
    _, volume, _ = rows(capsys)

    due = f"{now.astimezone():%Y-%m-%d %H:%M}"
    assert row_of("home", table).startswith("home    idle")
    assert f"  {due} (" in row_of("home", table)
    assert row_of("id", table).split()[:6] == ["id", "volume", "cron", "zone", "next", "last"]
    reserved = row_of(reservation.reservation_id[:8], table)
    assert due in reserved
    assert "failed" in reserved
    assert reserved.endswith("no device is left")
    [shown] = volume["reservations"]
    assert (shown["next_due"], shown["last_due"], shown["last_outcome"]) == (
        f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "2026-01-02T00:00:00Z",
        "failed",
    )


def back_up(catalog: Catalog, volume: str, age: timedelta) -> None:
    day = (datetime.now(UTC) - age - T0) / timedelta(days=1)
    catalog.snapshots.seal(begin(catalog, volume, day), T0, b"h" * 32)
    record_run(catalog, volume, exit_code=0, started_at=datetime.now(UTC) - age)


def test_it_begins_with_the_verdict_and_what_mends_it(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    table, [verdict, *_] = lines(capsys), rows(capsys)
    assert table[0].startswith("red: Volume home is overdue")
    assert table[2].strip() == "segfleet schedule run-due"
    assert (verdict["message_type"], verdict["colour"]) == ("health", "red")
    assert verdict["problems"][0]["remedy"] == "segfleet schedule run-due"


def test_a_volume_shows_how_old_its_last_snapshot_is(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    back_up(catalog, "srv", timedelta(hours=30, minutes=1))
    assert row_of("srv", lines(capsys)).split()[:4] == ["srv", "idle", "30", "h"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--max-age", "26h", "srv"], 0, "fresh: the last snapshot of each volume is not older than 26 h"),
        (["--max-age", "4h", "srv"], 3, "the last good backup of volume srv is 5 h old; the limit is 4 h"),
        (["--max-age", "26h"], 3, "volume home has no snapshot"),
        (["--max-age", "26h", "nosuch"], 1, ""),
        (["--max-age", "old"], 2, ""),
        (["srv"], 2, ""),
    ],
)
def test_a_script_asks_whether_the_last_snapshot_is_young_enough(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    back_up(catalog, "srv", timedelta(hours=5, minutes=1))
    assert run(["status", *arguments]) == code
    assert capsys.readouterr().out.strip() == said


def test_a_volume_may_say_how_old_it_may_be_and_a_schedule_that_nobody_runs_is_a_problem(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    back_up(catalog, "srv", timedelta(hours=5, minutes=1))
    (tmp_path / "segfleet.toml").write_text(
        '[volumes.srv]\nsources = ["/srv"]\nmax-age = "4h"\n[schedules.srv]\ncron = "0 2 * * *"\n'
    )
    [verdict, *_] = rows(capsys)
    found = {(problem["kind"], problem["subject"], problem["colour"]) for problem in verdict["problems"]}
    assert {("overdue", "srv", "red"), ("schedule", "srv", "yellow")} <= found


def test_watching_ends_at_once_when_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(capsys, "--watch") == lines(capsys)


def test_watching_goes_on_until_the_run_has_ended(catalog: Catalog) -> None:
    owner_id = back_up_half(catalog)

    with watching() as watch:
        catalog.locks.release("volume home", owner_id)
        done = watch.wait()

    assert done.exit_code == 0, done
    assert [row["phase"] for row in done.rows_of("volume")] == ["storing", None]


def test_ctrl_c_ends_the_watch_and_not_the_run(catalog: Catalog) -> None:
    back_up_half(catalog)

    with watching() as watch:
        watch.signal(signal.SIGINT)
        done = watch.wait()

    assert done.exit_code == 130
    assert catalog.locks.get("volume home") is not None


def test_a_run_of_a_fleet_is_asked_of_a_broker_in_vain_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "12345678", "--watch"]) == 2
    assert "status of a run needs a broker" in capsys.readouterr().err


def test_nothing_but_the_verdict_is_shown_before_there_is_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "another"))
    assert run(["status"]) == 0
    assert capsys.readouterr().out == "yellow: Nothing has been backed up yet.\n"
