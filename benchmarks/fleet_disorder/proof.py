"""What a fleet promises once its troubles have ended."""

from __future__ import annotations

import shutil
import time

import redis

from fleet_disorder.commands import Command, ask, give
from fleet_disorder.patience import wait_until
from fleet_disorder.site import MANAGERS, FleetSite
from kit.compare import differences
from producer.manager.presence import runs

#: Everybody serves again.
BACK_S = 30.0
#: Commands that met the troubles have ended, one way or another; what was due is done.
ENDED_S = 180.0
#: Done, failed with a reason, stored in part; and a device that no run has used yet was away at the start.
_ENDS = (0, 1, 3, 10)
_LOCKED = 11


def prove(fleet: FleetSite, commands: list[Command]) -> float:
    """Raises AssertionError for a promise that is broken; returns the seconds until everybody was back."""
    back_s = fleet.wait_until_back(BACK_S)
    for command in commands:
        assert command.wait(ENDED_S) in _ENDS, (command.words, command.exit_code, command.said())
        _no_bug(" ".join(command.words), command.said())
    wait_until(lambda: "due" in _volumes(fleet), "what was due is done", deadline_s=ENDED_S)
    for manager, volumes in MANAGERS.items():
        _back_up(fleet, volumes[0], manager)
    wait_until(lambda: not _running(fleet), "nothing runs that has ended", deadline_s=ENDED_S)
    states = {row["volume"]: row["state"] for row in ask(fleet, "status", "--manager", "m") if "reservations" in row}
    assert states == dict.fromkeys(fleet.sources, "idle"), states
    _restore_all(fleet)
    for name, host in fleet.hosts.items():
        for log in host.folder.glob("service.log"):
            _no_bug(name, log.read_text(errors="replace"))
    return back_s


def _volumes(fleet: FleetSite) -> set[str]:
    return {row["volume"] for row in ask(fleet, "snapshots", "--manager", "m")}


def _back_up(fleet: FleetSite, volume: str, manager: str) -> None:
    """A backup works now; it waits for the run that its manager resumes by itself."""
    end_s = time.monotonic() + ENDED_S
    while (command := give(fleet, "backup", volume, "--manager", manager)).wait(ENDED_S) == _LOCKED:
        assert time.monotonic() < end_s, f"volume {volume} stays locked: {command.said()}"
        time.sleep(1)
    command.succeed(0)


def _running(fleet: FleetSite) -> list[str]:
    try:
        return [f"{run.command} {run.words}" for run in runs(fleet.broker()) if run.state == "running"]
    except redis.RedisError as error:
        return [f"the broker does not answer: {error}"]


def _restore_all(fleet: FleetSite) -> None:
    for row in ask(fleet, "snapshots", "--manager", "m"):
        volume = row["volume"]
        give(fleet, "restore", row["snapshot_id"], "--target", "back", "--manager", "m").succeed(ENDED_S)
        found = differences(fleet.sources[volume], fleet.folder / "back" / volume)
        assert found == [], (row, found[:5])
        shutil.rmtree(fleet.folder / "back" / volume)


def _no_bug(who: str, text: str) -> None:
    assert "Traceback" not in text and "internal error" not in text, (who, text[-3000:])
