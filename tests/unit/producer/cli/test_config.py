"""``segfleet init``, ``config check`` and ``config show``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from producer.cli.main import run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for variable in ("SEGFLEET_CONFIG", "SEGFLEET_LEVEL", "SEGFLEET_BROKER_URL", "SEGFLEET_CATALOG_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("data", "a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path


def rows(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def init(*more: str) -> int:
    return run(["init", "data", "--device=a=a", "--device=b=b", "--file=segfleet.toml", *more])


def test_what_init_writes_is_right_and_its_volume_can_be_planned(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("--cron=0 2 * * *", "-e", "*.tmp") == 0
    assert f"{folder}/segfleet.toml is written" in capsys.readouterr().out
    assert rows(capsys, "config", "check") == []
    assert (folder / "segfleet.toml").stat().st_mode & 0o777 == 0o600


def test_init_writes_the_file_that_the_next_command_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGFLEET_CONFIG", str(folder / "of the environment.toml"))

    assert run(["init", "data", "--device=a=a", "--device=b=b"]) == 0
    assert run(["--config", "named.toml", "init", "data", "--device=a=a", "--device=b=b"]) == 0

    assert (folder / "of the environment.toml").exists()
    assert (folder / "named.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["init", "--file=new.toml"], "no folder to back up is named"),
        (["init", "data", "--file=new.toml"], "no device is named"),
        (["init", "data", "--device=a=a", "--file=data"], "data exists"),
        (["init", "data", "--device=a=a", "--file=new.toml", "--cron=0 2 30 2 *"], "cron line '0 2 30 2 *'"),
        (["init", "data", "--device=a=a", "--file=new.toml", "--volume=a b"], "not a valid volume name"),
        (["config", "check"], "there is no configuration file"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "new.toml").exists()


FAULTY = """[devices.a]
path = "nosuch"

[devices.far]

[sources.data]
path = "data"
exclude = ["*.tmp"]

[sources.gone]
path = "gone"

[sources.idle]
path = "data"

[volumes.home]
sources = ["data", "/nosuch"]
exclude-file = ["patterns"]

[volumes.lonely]
level = 3

[volumes.unscheduled]
sources = ["data", "gone"]
pre = "make"

[schedules.home]
cron = "0 2 30 2 *"
"""


def test_each_fault_is_named_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "faulty.toml").write_text(FAULTY)
    found = rows(capsys, "config", "check", "--config=faulty.toml", code=1)
    assert {row["file"] for row in found} == {str(folder / "faulty.toml")}
    said = [(row["line"], row["level"], row["message"]) for row in found]
    expected = [
        (2, "error", f"device a: {folder}/nosuch does not exist"),
        (4, "error", "device far has no path, and without a broker"),
        (13, "warning", "no volume and no schedule uses source idle"),
        (17, "error", "volume home: /nosuch does not exist"),
        (18, "error", f"volume home: {folder}/patterns does not exist"),
        (17, "error", "volume home: the exclude list of source data would apply"),
        (20, "warning", "volume lonely has no sources"),
        (24, "error", "volume unscheduled: the exclude list of source data would apply"),
        (23, "warning", "no schedule backs up volume unscheduled"),
        (28, "error", "cron line '0 2 30 2 *'"),
    ]
    assert [(line, level) for line, level, _ in said] == [(line, level) for line, level, _ in expected]
    for (_, _, message), (_, _, beginning) in zip(said, expected, strict=True):
        assert message.startswith(beginning)


@pytest.mark.parametrize(("devices", "is_warned"), [("", True), ('devices = ["a"]', True), ('devices = ["b"]', False)])
def test_a_volume_with_rotating_devices_only_is_warned_of(
    folder: Path, capsys: pytest.CaptureFixture[str], devices: str, is_warned: bool
) -> None:
    stays = '[devices.b]\npath = "data"\n' if devices else ""
    text = (
        f'[devices.a]\npath = "data"\nrotating = true\n{stays}[volumes.home]\nsources = ["{folder}/data"]\n{devices}\n'
    )
    (folder / "rotating.toml").write_text(text)
    messages = [row["message"] for row in rows(capsys, "config", "check", "--config=rotating.toml")]
    assert any(message.startswith("volume home has rotating devices only") for message in messages) == is_warned


def test_a_file_that_cannot_be_read_as_it_is_names_the_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "segfleet.toml").write_text("[devices.a]\npaht = 'a'\n")
    assert run(["config", "check"]) == 2
    assert "segfleet.toml:2: unknown key 'paht'" in capsys.readouterr().err


def test_what_holds_comes_with_where_it_is_from_and_without_passwords(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "segfleet.toml").write_text(
        '[broker]\nurl = "redis://:secret@host:6379/0"\n[defaults]\nlevel = 9\nthreads = 2\n'
        '[notify]\nurls = ["mailto://me:secret@host"]\n'
    )
    monkeypatch.setenv("SEGFLEET_LEVEL", "1")
    monkeypatch.setenv("SEGFLEET_CATALOG_URL", "postgresql://me:secret@host/db")
    monkeypatch.setenv("SEGFLEET_NICE", "5")

    found = rows(capsys, "config", "show")

    file = folder / "segfleet.toml"
    assert {row["key"]: (row["value"], row["from"]) for row in found} == {
        "broker.url": ("redis://:***@host:6379/0", f"{file}:2"),
        "defaults.level": ("1", "SEGFLEET_LEVEL"),
        "defaults.threads": (2, f"{file}:5"),
        "notify.urls": ("***", f"{file}:7"),
        "catalog.url": ("postgresql://me:***@host/db", "SEGFLEET_CATALOG_URL"),
        "defaults.nice": ("5", "SEGFLEET_NICE"),
        "state": (str(folder / "state"), "SEGFLEET_STATE"),
    }


def test_without_a_file_only_the_environment_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["from"] for row in rows(capsys, "config", "show")] == ["SEGFLEET_STATE"]


@pytest.mark.parametrize(
    ("arguments", "how"), [((), "found"), (("--config=segfleet.toml",), "--config")], ids=["found", "named"]
)
def test_it_says_how_the_file_was_found(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], how: str
) -> None:
    (folder / "segfleet.toml").write_text("")
    assert run(["config", "show", *arguments]) == 0
    assert capsys.readouterr().err == f"{folder}/segfleet.toml ({how})\n"
