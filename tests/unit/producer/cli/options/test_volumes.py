"""What ``[volumes.NAME]`` says about a backup, beside the command line and the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.models.reservations import NEW_YEAR
from producer.catalog.catalog import Catalog
from producer.catalog.tables.reservations import ReservationRow
from producer.cli.call import Call
from producer.cli.commands.backup.backup import backup
from producer.cli.commands.retention.forget import forget
from producer.cli.commands.schedule.words import bounds_of, request_of
from producer.cli.main import run
from producer.cli.options.backup_request import request_from
from producer.requests import UNLIMITED_COUNT, BackupRequest, Retention
from producer.schedule.asked import asked_of
from tasks.errors import UsageError

CONFIGURATION = """
[devices.a]
path = "a"

[devices.b]
path = "b"

[sources.data]
path = "data"

[volumes.home]
sources = ["data", "./other"]
devices = ["b"]
exclude = ["*.tmp"]
tags = ["kept"]
level = 9
mode = "files"
no-xattrs = true

[volumes.data]
level = 7

[defaults]
level = 5
threads = 3
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("SEGFLEET_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("data", "other", "a", "b", "c"):
        (tmp_path / name).mkdir()
    written = tmp_path / "segfleet.toml"
    written.write_text(CONFIGURATION)
    return written


def request(*arguments: str) -> BackupRequest:
    call = Call()
    context = backup.make_context("backup", list(arguments), obj=call)
    return request_from(call, **context.params)


def test_a_volume_brings_its_sources_devices_and_options(tmp_path: Path) -> None:
    found = request("--volume", "home")
    assert [source.path for source in found.sources] == [tmp_path / "data", tmp_path / "other"]
    assert [source.name for source in found.sources] == ["data", "other"]
    assert found.devices == {"b": tmp_path / "b"}
    assert (found.volume, found.level, found.threads, found.mode) == ("home", 9, 3, "files")
    assert found.exclusions.attributes


def test_it_does_not_matter_where_the_configuration_is_named(file: Path) -> None:
    assert request("--volume=home", f"--config={file}").level == 9


def test_the_command_line_and_the_environment_win_and_lists_are_added_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found = request("data", "--volume=home", "--level=1", "-e", "!good.tmp", "--tag=now", "--device=a=a")
    assert [source.name for source in found.sources] == ["data"]
    assert (found.level, found.tags, list(found.devices)) == (1, ("kept", "now"), ["a"])
    assert found.exclusions.patterns == ("*.tmp", "!good.tmp")
    monkeypatch.setenv("SEGFLEET_LEVEL", "2")
    assert request("--volume=home").level == 2


def test_a_volume_that_only_its_sources_name_has_its_options_too(tmp_path: Path) -> None:
    assert request("data").level == 7
    assert request(str(tmp_path / "data")).level == 7
    assert request("other").level == 5


def test_the_source_of_the_volume_s_name_needs_no_list() -> None:
    assert [source.name for source in request("--volume=data").sources] == ["data"]


def test_a_volume_without_sources_says_which_have_some() -> None:
    with pytest.raises(UsageError, match="volume nosuch has no sources") as refusal:
        request("--volume=nosuch")
    assert "data, home" in refusal.value.hint


def test_a_command_that_stores_nothing_takes_all_devices_whatever_volume_it_names(tmp_path: Path) -> None:
    call = Call()
    context = forget.make_context("forget", ["--volume=home", "--keep-last=1"], obj=call)
    assert sorted(context.params["devices"]) == ["a", "b"]


def reservations(tmp_path: Path) -> list[ReservationRow]:
    with Catalog(f"sqlite:///{tmp_path / 'state' / 'catalog.sqlite'}") as catalog:
        return catalog.reservations.all()


def asked_now(tmp_path: Path, file: Path) -> BackupRequest:
    [row] = reservations(tmp_path)
    call = Call()
    call.read_configuration(str(file))
    return request_of(asked_of(row), call)[0]


def add(*arguments: str) -> None:
    assert run(["schedule", "add", *arguments, *NEW_YEAR]) == 0


def test_a_disk_that_is_new_in_the_configuration_gets_what_was_reserved_before(tmp_path: Path, file: Path) -> None:
    add("other", "other", "--tag=nightly", "-e", "*.tmp", "--known-devices-only")
    assert sorted(asked_now(tmp_path, file).devices) == ["a", "b"]

    file.write_text(CONFIGURATION.replace("level = 5", "level = 6") + '\n[devices.c]\npath = "c"\n')

    found = asked_now(tmp_path, file)
    assert sorted(found.devices) == ["a", "b", "c"]
    assert (found.level, found.tags, found.exclusions.patterns) == (6, ("nightly",), ("*.tmp",))
    assert not found.new_devices


def test_what_was_named_when_it_was_reserved_stays_wherever_it_is_run_from(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("mine", "./other", "--device=c=c", "--level=2")
    monkeypatch.chdir("/")
    found = asked_now(tmp_path, file)
    assert [source.path for source in found.sources] == [tmp_path / "other"]
    assert (found.devices, found.level, found.volume) == ({"c": tmp_path / "c"}, 2, "mine")


def bounds_now(tmp_path: Path, file: Path) -> tuple[Retention | None, bool]:
    [row] = reservations(tmp_path)
    call = Call()
    call.read_configuration(str(file))
    return bounds_of(asked_of(row), row.volume, call)


def test_a_reservation_without_a_policy_has_that_of_the_configuration_as_it_is_then(tmp_path: Path, file: Path) -> None:
    add("other", "other")
    assert bounds_now(tmp_path, file) == (None, False)
    policy = "\n[volumes.other.retention]\nkeep-daily = 7\nkeep-last = 'unlimited'\n"
    retention = Retention(counts={"last": UNLIMITED_COUNT, "daily": 7})
    file.write_text(CONFIGURATION + policy)
    assert bounds_now(tmp_path, file) == (retention, False)
    file.write_text(CONFIGURATION + policy + "prune = true\n")
    assert bounds_now(tmp_path, file) == (retention, True)


def test_the_policy_of_a_reservation_counts_alone(tmp_path: Path, file: Path) -> None:
    file.write_text(CONFIGURATION + "\n[volumes.other.retention]\nkeep-daily = 7\nprune = true\n")
    add("other", "other", "--keep-weekly=5", "--keep-within=1m2d", "--keep-tag=a b", "--tag=nightly")
    kept = Retention(counts={"weekly": 5}, within={"all": "1m2d"}, tags=("a b",))
    assert bounds_now(tmp_path, file) == (kept, False)
    assert asked_now(tmp_path, file).tags == ("nightly",)


def test_a_reservation_may_prune_by_the_policy_of_the_configuration(tmp_path: Path, file: Path) -> None:
    file.write_text(CONFIGURATION + "\n[volumes.other.retention]\nkeep-daily = 7\n")
    add("other", "other", "--prune")
    assert bounds_now(tmp_path, file) == (Retention(counts={"daily": 7}), True)


def test_a_schedule_with_a_policy_that_keeps_nothing_is_refused() -> None:
    assert run(["schedule", "add", "other", "other", *NEW_YEAR, "--keep-last=0"]) == 2


def test_a_schedule_of_the_configuration_is_followed_and_removed_there(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(CONFIGURATION + '\n[schedules.home]\ncron = "0 2 1 1 *"\ntimezone = "UTC"\n')
    assert run(["schedule", "run-due"]) == 0
    assert asked_now(tmp_path, file) == request("--volume=home")

    capsys.readouterr()
    assert run(["schedule", "remove", "home"]) == 2
    assert f"is [schedules.home] of {file}" in capsys.readouterr().err
    assert run(["schedule", "list", "--json"]) == 0
    row: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (row["volume"], row["schedule"]) == ("home", "home")

    file.write_text(CONFIGURATION)
    assert run(["schedule", "run-due"]) == 0
    assert reservations(tmp_path) == []


def test_a_run_without_a_configuration_leaves_all_reservations_alone(tmp_path: Path, file: Path) -> None:
    add("other", "other")
    file.rename(tmp_path / "elsewhere.toml")
    assert run(["schedule", "run-due"]) == 0
    assert len(reservations(tmp_path)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--parity=1",), "--parity 1 needs at least 3 devices, and there is one"),
        (("--parity=2", "--device=a=a", "--device=b=b"), "--parity 2 needs at least 4 devices, and there are 3"),
        (("--parity=1", "--copies=2", "--device=a=a"), "--copies 2 and --parity 1 exclude each other"),
    ],
)
def test_parity_that_is_not_possible_is_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        request("data", "--device=c=c", *arguments)


def test_a_table_may_ask_for_parity(file: Path) -> None:
    file.write_text(CONFIGURATION.replace("level = 5", "level = 5\nparity = 2"))

    assert request("data", *(f"--device={name}={name}" for name in "abcd")).plan.parity == 2
