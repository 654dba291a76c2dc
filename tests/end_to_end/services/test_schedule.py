"""Backups at set times, through the command."""

from __future__ import annotations

import json
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from kit.models.reservations import NEW_YEAR, make_due
from kit.program.command import Done
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.tree import noise


@pytest.fixture
def source(machine: Machine) -> Path:
    folder = machine.folder / "home"
    folder.mkdir()
    (folder / "letter").write_text("dear reader")
    return folder


def listed(machine: Machine) -> list[dict[str, object]]:
    return machine.succeed("schedule", "list", "--json").rows


def outcomes(machine: Machine) -> dict[object, object]:
    return {row["volume"]: row["last_outcome"] for row in listed(machine)}


def runs(done: Done) -> int:
    """How many backups a ``run-due --json`` has begun, by its last line."""
    return int(done.summary["runs"])


def add(machine: Machine, volume: str, source: Path, *options: str) -> Done:
    return machine.succeed("schedule", "add", volume, source, *machine.devices("a b"), *NEW_YEAR, *options)


def test_what_is_due_is_backed_up_once_with_the_options_of_the_reservation(machine: Machine, source: Path) -> None:
    add(machine, "home", source, "--tag", "nightly", "-e", "*.tmp", "--keep-last=1", "--prune")
    (source / "noise.tmp").write_text("")
    assert runs(machine.succeed("schedule", "run-due", "--json")) == 0

    make_due(machine.catalog)
    done = machine.succeed("schedule", "run-due", "--json")
    assert done.rows[0]["message_type"] == "due"
    assert (runs(done), done.summary["done"], done.summary["exit_code"]) == (1, 1, 0)
    assert "snapshot_id" in done.rows_of("summary")[0]
    assert runs(machine.succeed("schedule", "run-due", "--json")) == 0

    [snapshot] = machine.succeed("snapshots", "--json").rows
    assert (snapshot["volume"], snapshot["tags"]) == ("home", ["nightly"])
    [row] = listed(machine)
    assert row["last_outcome"] == "done"
    assert str(row["next_due"]).endswith("-01-01T02:00:00Z")

    target = machine.folder / "back"
    machine.succeed("restore", "latest", "--target", target, *machine.devices("a b"))
    assert [path.name for path in (target / "home").iterdir()] == ["letter"]

    make_due(machine.catalog)
    again = machine.succeed("schedule", "run-due", "--json")
    assert [(row["verdict"], row["snapshot_id"]) for row in again.rows_of("verdict")] == [
        ("forget", snapshot["snapshot_id"])
    ]
    assert [row["snapshot_id"] for row in machine.succeed("snapshots", "--json").rows] == [
        again.rows_of("summary")[0]["snapshot_id"]
    ]
    [pruned] = [row for row in again.rows_of("summary") if "bytes_freed" in row]
    assert pruned["exit_code"] == 0
    kinds = [row["kind"] for row in machine.succeed("history", "--json").rows]
    assert kinds == ["backup", "prune", "restore", "backup", "forget", "prune"]


def test_one_that_fails_does_not_keep_the_others_from_running(machine: Machine, source: Path) -> None:
    gone = machine.folder / "gone"
    gone.mkdir()
    add(machine, "gone", gone)
    add(machine, "home", source)
    gone.rmdir()
    make_due(machine.catalog)

    done = machine.run("schedule", "run-due", "--json")
    assert done.exit_code == 1
    totals = {key: done.summary[key] for key in ("runs", "done", "partial", "failed", "locked", "exit_code")}
    assert totals == {"runs": 2, "done": 1, "partial": 0, "failed": 1, "locked": 0, "exit_code": 1}
    assert "cannot read source" in done.stderr
    assert outcomes(machine) == {"gone": "failed", "home": "done"}
    assert "No such file or directory" in machine.succeed("schedule", "list").stdout.decode()


def test_what_a_command_of_the_volume_makes_need_not_be_there_before(machine: Machine, source: Path) -> None:
    made = machine.folder / "made"
    (machine.folder / "segfleet.toml").write_text(
        f'[volumes.home]\npre = "cp -r {source} {made}"\npost = "rm -r {made}"\n[sources.made]\npath = "{made}"\n'
    )
    machine.succeed("schedule", "add", "home", "made", *machine.devices("a b"), *NEW_YEAR)
    make_due(machine.catalog)

    done = machine.succeed("schedule", "run-due", "--json")

    assert done.rows_of("summary")[0]["files"] == 1
    assert outcomes(machine) == {"home": "done"}
    assert not made.exists()


def test_a_run_that_was_missed_is_left_out_or_caught_up_with(machine: Machine, source: Path) -> None:
    add(machine, "kept", source, "--catch-up")
    add(machine, "left", source, "--skip-missed")
    make_due(machine.catalog, ago=timedelta(days=40))
    machine.succeed("schedule", "run-due")
    assert outcomes(machine) == {"kept": "done", "left": "missed"}


def test_while_its_volume_is_backed_up_a_run_waits_or_is_left_out(machine: Machine, source: Path) -> None:
    (source / "large").write_bytes(noise(6 * 2**20))
    add(machine, "waits", source)
    add(machine, "skips", source, "--overlap", "skip")
    # Under way for a minute and a half, unless the brake is released.
    machine.limit("c d", "64KiB")
    brake = Brake(machine.folder / "brake")
    running = [
        machine.start("backup", source, "--volume", volume, *machine.devices(device), "--json", **brake.settings)
        for volume, device in (("waits", "c"), ("skips", "d"))
    ]
    for each in running:
        each.wait_until_storing()
    make_due(machine.catalog)

    assert runs(machine.succeed("schedule", "run-due", "--json")) == 0
    assert outcomes(machine) == {"waits": "", "skips": "skipped"}
    assert "queued" in machine.succeed("schedule", "list").stdout.decode()

    brake.release()
    for each in running:
        assert each.wait().exit_code == 0
    machine.succeed("schedule", "run-due")
    assert outcomes(machine) == {"waits": "done", "skips": "skipped"}


def test_checks_and_prunes_run_on_schedules_of_their_own(machine: Machine, source: Path) -> None:
    machine.succeed("backup", source, *machine.devices("a b"))
    for options in (["--check", "--read-data"], ["--prune"]):
        machine.succeed("schedule", "add", *options, *NEW_YEAR)
    for wrong in ([], ["--check", "--prune"], ["home", "--check"], ["--prune", "--read-data"], ["--check", "-e", "x"]):
        assert machine.run("schedule", "add", *wrong, *NEW_YEAR).exit_code == 2
    make_due(machine.catalog)

    done = machine.succeed("schedule", "run-due", "--json")

    assert runs(done) == 2
    assert {row["kind"]: row["last_outcome"] for row in listed(machine)} == {"check": "done", "prune": "done"}
    kinds = [row["kind"] for row in machine.succeed("history", "--json").rows]
    assert sorted(kinds) == ["backup", "check", "prune"]
    assert "(check)" in machine.succeed("status").stdout.decode()
    damaged = machine.segments_on()[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    make_due(machine.catalog)
    assert machine.run("schedule", "run-due").exit_code == 3
    assert {row["kind"]: row["last_outcome"] for row in listed(machine)} == {"check": "partial", "prune": "done"}
    machine.succeed("schedule", "remove", "check")
    assert [row["kind"] for row in listed(machine)] == ["prune"]


def test_a_killed_run_is_caught_up_with(machine: Machine, source: Path) -> None:
    (source / "large").write_bytes(noise(12 * 2**20))
    add(machine, "home", source)
    make_due(machine.catalog)
    # Under way for 11 s.
    machine.limit("a b", "512KiB")
    running = machine.start("schedule", "run-due", "--json")
    running.wait_until_storing()
    running.signal(signal.SIGKILL)
    running.wait()
    assert outcomes(machine) == {"home": "running"}
    machine.limit("a b", None)

    machine.succeed("schedule", "run-due")
    assert outcomes(machine) == {"home": "done"}
    assert len(machine.succeed("snapshots", "--json").rows) == 1


def test_a_configured_source_is_the_volume_of_its_name(machine: Machine, source: Path) -> None:
    machine.devices("a b")
    (machine.folder / "segfleet.toml").write_text(
        f'[devices.a]\npath = "{machine.device("a")}"\n[devices.b]\npath = "{machine.device("b")}"\n'
        f'[sources.letters]\npath = "{source}"\n'
    )
    machine.succeed("schedule", "add", "letters", *NEW_YEAR)
    make_due(machine.catalog)
    machine.succeed("schedule", "run-due")
    assert outcomes(machine) == {"letters": "done"}
    refused = machine.run("schedule", "add", "letter", *NEW_YEAR)
    assert refused.exit_code == 2
    assert "sources in the configuration: letters" in refused.stderr


def test_a_reservation_is_removed_by_its_volume_or_its_id(machine: Machine, source: Path) -> None:
    for volume in ("home", "home", "srv"):
        add(machine, volume, source)
    by_id = next(str(row["reservation_id"])[:8] for row in listed(machine) if row["volume"] == "srv")

    refused = machine.run("schedule", "remove", "hme")
    assert refused.exit_code == 2
    assert f"srv ({by_id})" in refused.stderr

    machine.succeed("schedule", "remove", by_id)
    assert [row["volume"] for row in listed(machine)] == ["home", "home"]
    machine.succeed("schedule", "remove", "home")
    assert listed(machine) == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--cron", "0 2 30 2 *"], "bad day-of-month"),
        (["--cron", "0 2"], "has 2 fields"),
        (["--cron", "0 2 * * *", "--tz", "Europe/Berln"], "did you mean Europe/Berlin"),
        (["--cron", "0 2 * * *", "--overlap", "crash"], "'crash' is not one of"),
        (["--cron", "0 2 * * *", "--levle", "3"], "No such option"),
        (["--cron", "0 2 * * *", "--level", "99"], "99 is not in the range"),
        ([], "Missing option '--cron'"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_reserved(
    machine: Machine, source: Path, options: list[str], why: str
) -> None:
    refused = machine.run("schedule", "add", "home", source, *machine.devices("a b"), *options, "--json")
    assert refused.exit_code == 2
    assert why in refused.stderr
    assert json.loads(refused.stdout.splitlines()[-1])["code"] == "usage"
    assert listed(machine) == []
