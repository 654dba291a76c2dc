"""What the page keeps from look to look: never longer than it is true."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from kit.models.owners import enter_owner
from kit.models.rows import T0, begin, device_row, record_run, reserve
from producer.catalog.catalog import Catalog
from producer.host.processes import pid_space, start_of
from producer.monitor.page import looks as module
from producer.monitor.page.looks import Looks
from producer.monitor.space.sums import Sums, sums
from producer.monitor.survey import judged_again, survey

DEVICE = device_row()


@pytest.fixture
def other(catalog: Catalog, catalog_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """The catalog as another process has it."""
    monkeypatch.setattr(module, "_SURVEY_S", 0.0)
    with Catalog(catalog_url) as opened:
        yield opened


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    with Catalog(catalog_url) as opened:
        opened.devices.record(DEVICE)
        opened.snapshots.seal(begin(opened, "home"), datetime.now(UTC), b"h" * 32)
        record_run(opened, "home", exit_code=0, started_at=datetime.now(UTC) - timedelta(hours=1))
        yield opened


def looks_at(catalog: Catalog) -> Looks:
    return Looks(catalog, lambda: None)


def test_a_look_at_a_catalog_that_has_not_changed_reads_no_table(
    catalog: Catalog, other: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = looks_at(catalog)
    first = looks.survey(), looks.past()
    monkeypatch.setattr(module, "survey", None)
    second = looks.survey(), looks.past()
    assert second[0].volumes is first[0].volumes
    assert second[0].at > first[0].at
    assert second[1] is first[1]


def test_each_change_by_another_process_shows_at_the_next_look(catalog: Catalog, other: Catalog) -> None:
    looks = looks_at(catalog)
    assert looks.survey().verdict.colour != "red"

    record_run(other, "home", exit_code=1, error="no room", started_at=datetime.now(UTC) - timedelta(minutes=5))
    assert "no room" in looks.survey().verdict.sentence
    assert [run.exit_code for run in looks.past().runs] == [1, 0]

    record_run(other, "home", exit_code=0, started_at=datetime.now(UTC))
    assert looks.survey().verdict.colour != "red"

    other.devices.set_state(DEVICE.device_id, "dead", "I/O error")
    assert looks.survey().verdict.colour == "red"


def test_a_process_that_ends_without_a_word_is_no_longer_running_at_the_next_look(
    catalog: Catalog, other: Catalog
) -> None:
    looks = looks_at(catalog)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner_id = enter_owner(
            other, host=platform.node(), space=pid_space(), pid=process.pid, start=start_of(process.pid)
        )
        other.locks.take(f"snapshot {'1' * 32} {owner_id[:8]}", owner_id, "restore")
        assert [run.purpose for run in looks.survey().others] == ["restore"]
        process.kill()
        process.wait()
        assert looks.survey().others == ()


def test_time_alone_changes_a_survey_as_a_new_one_would(catalog: Catalog) -> None:
    reserve(catalog, "home", day=2)
    now = T0 + timedelta(days=2, minutes=5)
    before, later = survey(catalog, now=now), now + timedelta(hours=2)

    after = judged_again(before, None, expected=None, kept=before.sums, now=later)

    assert "overdue" not in before.verdict.sentence
    assert "overdue" in after.verdict.sentence
    assert after == survey(catalog, now=later)


def test_sums_are_those_of_the_last_change_once_some_time_has_passed(
    catalog: Catalog, other: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_s = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock_s[0])
    read: list[Sums] = []

    def counted(of: Catalog) -> Sums:
        read.append(sums(of))
        return read[-1]

    monkeypatch.setattr(module, "sums", counted)
    looks = looks_at(catalog)

    def reads_after(seconds: float) -> int:
        clock_s[0] += seconds
        looks.survey()
        return len(read)

    assert reads_after(0) == 1
    assert reads_after(100) == 1
    record_run(other, "home", exit_code=0)
    assert reads_after(1) == 2
    record_run(other, "home", exit_code=0)
    assert (reads_after(1), reads_after(1)) == (2, 2)
    assert (reads_after(100), reads_after(100)) == (3, 3)
