"""When a backup may look at its source before anything else is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import backup_request
from kit.tree import Tree
from producer.cli.call import Call
from producer.cli.commands.backup.scanning import begin_to_scan
from producer.configuration.tables import Configuration, VolumeTable
from producer.host.state import open_state
from producer.requests import BackupRequest


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackupRequest:
    monkeypatch.setenv("SEGFLEET_STATE", str(tmp_path / "state"))
    return backup_request({"data": Tree({"a": b"1"}).make(tmp_path / "data")})


def begins(call: Call, request: BackupRequest) -> bool:
    early = begin_to_scan(call, request)
    if early is not None:
        early.end()
    return early is not None


def test_it_begins_where_nothing_comes_before_the_walk(request_: BackupRequest) -> None:
    assert begins(Call(), request_)


def test_commands_before_the_backup_come_before_the_scan(request_: BackupRequest) -> None:
    assert not begins(Call(configuration=Configuration(volumes={"home": VolumeTable(pre="true")})), request_)


def test_commands_that_an_earlier_backup_has_left_come_before_the_scan(request_: BackupRequest) -> None:
    duties = open_state().path / "duties"
    duties.mkdir()
    (duties / "one.json").touch()

    assert not begins(Call(), request_)


def test_a_backup_that_may_have_to_wait_scans_later(request_: BackupRequest) -> None:
    assert not begins(Call(wait_s=60), request_)


@pytest.mark.parametrize("asked", [{"freeze": True}, {"mode": "raw"}, {"required_mounts": (Path("/mnt"),)}], ids=str)
def test_what_is_frozen_mounted_or_read_raw_is_not_scanned_before(
    request_: BackupRequest, asked: dict[str, object]
) -> None:
    assert not begins(Call(), replace(request_, **asked))
