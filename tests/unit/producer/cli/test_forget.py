"""``segfleet forget``: what it forgets, what it shows, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.models.owners import enter_owner
from kit.models.rows import lock
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import NewSnapshot
from producer.cli.main import run
from producer.host.state import open_state
from producer.ownership.readers import Readers

NEWEST = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """Volume home: a snapshot a day, ids 0… (the newest) to 4…; volume db: one snapshot, d…."""
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    with Catalog(open_state().catalog_url) as opened:
        for age in (4, 3, 2, 1, 0):
            record(opened, str(age) * 32, age=age, tags=("old",) if age == 4 else ())
        record(opened, "d" * 32, age=0, volume="db")
        yield opened


def record(
    catalog: Catalog,
    snapshot_id: str,
    *,
    age: int,
    volume: str = "home",
    tags: tuple[str, ...] = (),
    parent_id: str = "",
    sealed: bool = True,
) -> None:
    """A snapshot that began ``age`` days before the newest."""
    catalog.snapshots.begin(
        NewSnapshot(
            snapshot_id=snapshot_id,
            pool_id="c" * 32,
            volume=volume,
            mode="files",
            hostname="here",
            tags=tags,
            sources=(),
            request={},
            started_at=NEWEST - timedelta(days=age),
            parent_id=parent_id,
        )
    )
    if sealed:
        catalog.snapshots.seal(snapshot_id, NEWEST, b"d" * 32)


def left(catalog: Catalog, volume: str = "home") -> str:
    """The first digit of each snapshot that is left, newest first."""
    return "".join(row.snapshot_id[0] for row in catalog.snapshots.sealed_of(volume))


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_policy_forgets_what_it_does_not_keep_of_each_volume(catalog: Catalog) -> None:
    assert run(["forget", "--keep-last", "2", "--keep-tag", "old"]) == 0
    assert left(catalog) == "014"
    assert left(catalog, "db") == "d"
    assert [row.snapshot_id[0] for row in catalog.snapshots.all("forgotten")] == ["3", "2"]


def test_a_policy_for_one_volume_leaves_the_others_alone(catalog: Catalog) -> None:
    record(catalog, "e" * 32, age=0, volume="db")
    assert run(["forget", "--volume", "db", "--keep-daily=1"]) == 0
    assert (left(catalog), left(catalog, "db")) == ("01234", "e")


def test_a_dry_run_shows_why_each_is_kept_and_changes_nothing(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.marks.set_pinned("3" * 32, True)
    record(catalog, "f" * 32, age=0, sealed=False)
    command = ["forget", "--volume", "home", "--keep-last=1", "--keep-within=1d1h", "--dry-run"]
    assert run(command) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines[1:-1]] == [
        ["keep", "0" * 8],
        ["unfinished", "f" * 8],
        ["keep", "1" * 8],
        ["forget", "2" * 8],
        ["keep", "3" * 8],
        ["forget", "4" * 8],
    ]
    assert " ".join(lines[1]).endswith("within 1d1h, last snapshot")
    assert lines[5][-1] == "pinned"
    assert " ".join(lines[-1]) == "2 snapshots would be forgotten, 3 kept; nothing has been changed"
    assert left(catalog) == "01234"


def test_json_has_a_row_for_each_verdict_and_a_summary(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forget", "--volume", "home", "--keep-daily=2", "-n", "--json"]) == 0
    *verdicts, summary = rows(capsys.readouterr().out)
    assert [row["verdict"] for row in verdicts] == ["keep", "keep", "forget", "forget", "forget"]
    assert verdicts[0] == {
        "message_type": "verdict",
        "snapshot_id": "0" * 32,
        "volume": "home",
        "pool_id": "c" * 32,
        "started": "2026-03-10T12:00:00Z",
        "tags": [],
        "pinned": False,
        "verdict": "keep",
        "reasons": ["daily snapshot"],
    }
    del summary["duration_s"]
    assert summary == {
        "message_type": "summary",
        "forgotten": 3,
        "kept": 2,
        "in_use": 0,
        "unfinished": 0,
        "dry_run": True,
        "exit_code": 0,
    }


def test_nobody_is_told_to_resume_a_backup_that_runs(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    record(catalog, "f" * 32, age=0, sealed=False)
    command = ["forget", "--volume=home", "--keep-last=1", "--dry-run"]
    assert run(command) == 0
    assert "resume it, or forget it by its id" in capsys.readouterr().out
    lock(catalog, "home")
    assert run(command) == 0
    assert "a run is using its volume" in capsys.readouterr().out


def test_named_snapshots_are_forgotten_in_whatever_volume(catalog: Catalog) -> None:
    record(catalog, "e" * 32, age=1, volume="db")
    assert run(["forget", "2" * 8, "home@latest~1", "e" * 10]) == 0
    assert (left(catalog), left(catalog, "db")) == ("034", "d")


def test_an_unfinished_backup_is_forgotten_by_its_id(catalog: Catalog) -> None:
    record(catalog, "f" * 32, age=0, sealed=False)
    assert run(["forget", "f" * 8]) == 0
    assert catalog.snapshots.open_of("home") == []
    assert left(catalog) == "01234"


def test_the_parent_of_an_unfinished_backup_is_kept(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    record(catalog, "f" * 32, age=0, sealed=False, parent_id="3" * 32)
    assert run(["forget", "--volume=home", "--keep-last=1"]) == 0
    assert left(catalog) == "03"
    assert "parent of unfinished ffffffff" in capsys.readouterr().out
    assert run(["forget", "3" * 8]) == 2
    assert "is the parent of ffffffff" in capsys.readouterr().err
    assert run(["forget", "3" * 8, "f" * 8]) == 0
    assert left(catalog) == "0"


def test_a_pinned_snapshot_is_not_forgotten(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    catalog.marks.set_pinned("3" * 32, True)
    assert run(["forget", "2" * 8, "3" * 8]) == 2
    assert "segfleet unpin 33333333" in capsys.readouterr().err
    assert left(catalog) == "01234"


@pytest.mark.parametrize("arguments", [["--keep-tag=old"], ["d" * 8]])
def test_no_volume_is_left_without_a_snapshot_by_mistake(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(["forget", *arguments]) == 2
    assert "--unsafe-allow-remove-all" in capsys.readouterr().err
    assert (left(catalog), left(catalog, "db")) == ("01234", "d")


def test_all_of_a_volume_goes_when_that_is_said(catalog: Catalog) -> None:
    assert run(["forget", "--volume=db", "--unsafe-allow-remove-all"]) == 0
    assert run(["forget", "--unsafe-allow-remove-all", *(str(age) * 8 for age in range(5))]) == 0
    assert (left(catalog), left(catalog, "db")) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing says what to keep"),
        (["--volume=home"], "nothing says what to keep"),
        (["--unsafe-allow-remove-all"], "nothing says what to keep"),
        (["--keep-last=0"], "keeps nothing"),
        (["--keep-within=0d"], "keeps nothing"),
        (["--keep-last=-1"], "not a count"),
        (["--keep-daily=many"], "not a count"),
        (["--keep-within=2w"], "not a span of time"),
        (["--keep-within-daily=-7d"], "not a span of time"),
        (["--keep-last=1", "--keep-tag=nobody"], "no snapshot has the tag 'nobody'; tags: old"),
        (["--volume=nobody", "--keep-last=1"], "no snapshot of volume nobody"),
        (["abcdef01"], "no snapshot begins with abcdef01"),
        (["latest"], "of which volume?"),
        (["00000000", "--keep-last=1"], "exclude each other"),
    ],
)
def test_bad_input_is_refused_and_nothing_changes(
    catalog: Catalog, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(["forget", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert (left(catalog), left(catalog, "db")) == ("01234", "d")


def test_without_a_policy_that_of_the_configuration_counts_for_its_volume(catalog: Catalog, tmp_path: Path) -> None:
    record(catalog, "e" * 32, age=1, volume="db")
    file = tmp_path / "segfleet.toml"
    file.write_text("[volumes.home.retention]\nkeep-last = 2\nkeep-within = '0d'\nkeep-tag = ['old']\n")
    assert run(["forget", f"--config={file}", "--volume=db"]) == 2
    assert run(["forget", f"--config={file}"]) == 0
    assert (left(catalog), left(catalog, "db")) == ("014", "ed")
    assert run(["forget", f"--config={file}", "--keep-last=1"]) == 0
    # The one that was made last, whatever its clock said.
    assert (left(catalog), left(catalog, "db")) == ("0", "e")


def test_what_somebody_reads_stays(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    readers = Readers(open_state().catalog_url, purpose="restore", manager="", note=lambda text: None)
    readers.begin(["2" * 32])
    try:
        assert run(["forget", "1" * 8, "2" * 8]) == 11
        assert "snapshot 22222222 is in use by restore" in capsys.readouterr().err
        assert left(catalog) == "01234"
        assert run(["forget", "--volume=home", "--keep-last=1", "--json"]) == 11
    finally:
        readers.close()
    assert left(catalog) == "02"
    *_, error, summary = rows(capsys.readouterr().out)
    assert error["code"] == "locked"
    assert (summary["forgotten"], summary["in_use"], summary["exit_code"]) == (3, 1, 11)
    assert run(["forget", "2" * 8]) == 0


def test_a_volume_that_is_being_backed_up_is_left_alone(catalog: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    catalog.locks.take("volume home", enter_owner(catalog), "backup of home")
    assert run(["forget", "--keep-last=1"]) == 11
    assert "backup of home" in capsys.readouterr().err
    assert left(catalog) == "01234"
    assert run(["forget", "--keep-last=1", "--dry-run"]) == 0
