"""What a fleet promises once its troubles have ended."""

from __future__ import annotations

import shutil
import time
from itertools import cycle

import redis

from fleet_disorder.commands import Command, ask, give
from fleet_disorder.patience import wait_until
from fleet_disorder.site import AGENTS, MANAGERS, TARGETS, FleetSite
from kit.compare import differences
from kit.models.reservations import hasten_retries, outcomes
from producer.manager.presence import runs

#: Everybody serves again.
BACK_S = 30.0
#: Commands that met the troubles have ended, one way or another; what was due is done; so long may each command take.
ENDED_S = 180.0
#: Done, failed with a reason, stored in part; and a device that no run has used yet was away at the start.
_ENDS = (0, 1, 3, 10)
_PARTIAL = 3
_LOCKED = 11


def prove(fleet: FleetSite, commands: list[Command]) -> float:
    """Raises AssertionError for a promise that is broken; returns the seconds until everybody was back."""
    back_s = fleet.wait_until_back(BACK_S)
    for command in commands:
        assert command.wait(ENDED_S) in _ENDS, (command.words, command.exit_code, command.said())
        _no_bug(" ".join(command.words), command.said())
    _back_up(fleet)
    wait_until(lambda: _is_due_done(fleet), "what was due is done", deadline_s=ENDED_S)
    wait_until(lambda: not _running(fleet), "nothing runs that has ended", deadline_s=ENDED_S)
    states = {row["volume"]: row["state"] for row in ask(fleet, "status", "--manager", "m") if "reservations" in row}
    assert states == dict.fromkeys(fleet.sources, "idle"), states
    _restore_all(fleet)
    for name, host in fleet.hosts.items():
        for log in host.folder.glob("service.log"):
            _no_bug(name, log.read_text(errors="replace"))
    return back_s


def _is_due_done(fleet: FleetSite) -> bool:
    """Does not wait for the minute of another try, but there must be one."""
    hasten_retries(fleet.catalog_url())
    return outcomes(fleet.catalog_url())["due"] == "done"


def _back_up(fleet: FleetSite) -> None:
    """Soon each manager backs up to all devices: no agent only seems to be back.

    The first tries may meet the run that the manager resumes by itself, and connections that are dead and not replaced
    yet.
    """
    end_s = time.monotonic() + ENDED_S
    left = dict(MANAGERS)
    while left:
        commands = {
            manager: give(fleet, "backup", volumes[0], "--json", "--manager", manager)
            for manager, volumes in left.items()
        }
        for manager, command in commands.items():
            command.wait(ENDED_S)
            if command.exit_code == 0 and _used_devices(command) == set(AGENTS):
                del left[manager]
                continue
            assert command.exit_code in (0, _PARTIAL, _LOCKED), command.end()
            assert time.monotonic() < end_s, f"{manager} backs up to {_used_devices(command)} only: {command.said()}"


def _used_devices(command: Command) -> set[str]:
    summaries = [row for row in command.rows() if row["message_type"] == "summary"]
    devices = summaries[-1]["devices"] if summaries else {}
    return {name for name, device in devices.items() if device["state"] == "live"}


def _running(fleet: FleetSite) -> list[str]:
    try:
        return [f"{run.command} {run.words}" for run in runs(fleet.broker()) if run.state == "running"]
    except redis.RedisError as error:
        return [f"the broker does not answer: {error}"]


def _restore_all(fleet: FleetSite) -> None:
    """Some at a time, by both managers in turn."""
    snapshots = ask(fleet, "snapshots", "--manager", "m")
    assert {row["volume"] for row in snapshots} == fleet.sources.keys(), snapshots
    while snapshots:
        rows, snapshots = snapshots[: len(TARGETS)], snapshots[len(TARGETS) :]
        commands = [
            give(fleet, "restore", row["snapshot_id"], "--target", target, "--manager", manager)
            for row, target, manager in zip(rows, TARGETS, cycle(MANAGERS), strict=False)
        ]
        for row, target, command in zip(rows, TARGETS, commands, strict=False):
            command.succeed(ENDED_S)
            volume, place = row["volume"], fleet.folder / target
            found = differences(fleet.sources[volume], place / volume)
            assert found == [], (row, found[:5])
            shutil.rmtree(place / volume)


def _no_bug(who: str, text: str) -> None:
    assert "Traceback" not in text and "internal error" not in text, (who, text[-3000:])
