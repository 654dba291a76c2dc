"""The settings of a worker travel as plain JSON and come back equal, or are refused."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tasks.errors import UsageError
from workers.settings import DeviceSettings, WorkerSettings

SETTINGS = WorkerSettings(
    broker_url="redis+socket:///run/broker.sock",
    devices={"a": DeviceSettings(path=Path("/mnt/a")), "b": DeviceSettings(path=Path("/mnt/b"), bytes_per_s=1000)},
    sources={"data": Path("/home/me/caf\udce9")},
    targets={"out": Path("/tmp/out")},
)


def plain(settings: WorkerSettings) -> dict[str, Any]:
    """As JSON carries them."""
    return json.loads(json.dumps(msgspec.to_builtins(settings, enc_hook=str)))  # type: ignore[no-any-return]


def test_settings_come_back_from_json_as_they_were() -> None:
    assert WorkerSettings.from_plain(plain(SETTINGS)) == SETTINGS


@pytest.mark.parametrize(
    "change",
    [
        {"colour": "red"},
        {"devices": {"a": {"path": "/mnt/a", "colour": "red"}}},
        {"devices": {"a": {"path": "mnt/a"}}},
        {"devices": {"a": {"path": 7}}},
        {"devices": {"a": {"path": "/mnt/a", "bytes_per_s": 0}}},
        {"devices": {"a/b": {"path": "/mnt/a"}}},
        {"sources": {"a/b": "/data"}},
        {"broker_url": None},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="settings of the worker"):
        WorkerSettings.from_plain({**plain(SETTINGS), **change})
