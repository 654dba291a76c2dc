"""One run of a fleet under troubles: made wholly from its seed, so that it can be played again."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from fleet_disorder.commands import Command, give
from fleet_disorder.patience import wait_until
from fleet_disorder.proof import prove
from fleet_disorder.site import MANAGERS, FleetSite
from fleet_disorder.troubles import TROUBLES
from kit.disks.small_disk import MIB, SmallDisk, small_disk
from kit.models.reservations import NEW_YEAR, make_due
from kit.services.namespaces import network

_SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--json")
#: A fleet that boots takes some ten seconds; a busy machine takes longer.
_BOOT_S = 120.0
#: No trouble begins or lasts longer.
_LAST_BEGIN_S, _LONGEST_S = 9.0, 15.0


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One trouble: what, when after the commands were given, at which host, and for how long."""

    at_s: float
    name: str
    host: str
    lasts_s: float

    def __str__(self) -> str:
        return f"{self.name} {self.host} at {self.at_s:.1f} for {self.lasts_s:.1f} s"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a seed stands for.

    ``due_at_s`` is when the reservation's time has come.  Time begins when the commands are given, or, with
    ``from_storing``, once one of their backups stores.
    """

    troubles: tuple[Planned, ...]
    due_at_s: float
    from_storing: bool = True

    @classmethod
    def of(cls, seed: str) -> Plan:
        dice = Random(f"{seed} fleet")
        troubles = [_planned(dice) for _ in range(dice.randint(1, 4))]
        return cls(
            troubles=tuple(sorted(troubles, key=lambda trouble: trouble.at_s)),
            due_at_s=dice.uniform(0, _LAST_BEGIN_S),
            from_storing=dice.random() < 0.8,
        )


def _planned(dice: Random) -> Planned:
    name = dice.choice(list(TROUBLES))
    return Planned(
        at_s=dice.uniform(0, _LAST_BEGIN_S),
        name=name,
        host=dice.choice(TROUBLES[name][1]),
        lasts_s=dice.uniform(1, _LONGEST_S),
    )


@contextlib.contextmanager
def site() -> Iterator[FleetSite]:
    folder = Path(tempfile.mkdtemp(prefix="sf-chaos-"))
    # The database is another user's.
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        disks: dict[str, SmallDisk] = {}
        for name in ("broker", "a"):
            disks[name] = stack.enter_context(small_disk(folder / f"disk-{name}", size_bytes=48 * MIB))
        made = FleetSite(folder, stack.enter_context(network()), disks)
        made.boot_all()
        made.wait_until_back(_BOOT_S)
        yield made


def play(seed: str) -> str:
    """Play the scenario of a seed and prove what a fleet promises; returns a line about it.  Raises AssertionError."""
    plan, started_s = Plan.of(seed), time.monotonic()
    with site() as fleet:
        try:
            commands = _play_troubles(fleet, plan)
            fleet.brake.release()
            back_s = prove(fleet, commands)
        except BaseException:
            _keep_logs(fleet, seed)
            raise
    return (
        f"{'; '.join(map(str, plan.troubles))}; all back after {back_s:.0f} s; "
        f"ended with {', '.join(command.end() for command in commands)}; {time.monotonic() - started_s:.0f} s"
    )


def _play_troubles(fleet: FleetSite, plan: Plan) -> list[Command]:
    """Give the commands, meet the troubles; returns when the last has ended, with the commands still running."""
    reserving = give(fleet, "schedule", "add", "due", *NEW_YEAR, "--manager", "m")
    commands = [
        give(fleet, "backup", volumes[0], *_SMALL, "--manager", manager) for manager, volumes in MANAGERS.items()
    ]
    reserving.succeed(_BOOT_S)
    if plan.from_storing:
        wait_until(fleet.storing_runs, "a backup stores", deadline_s=_BOOT_S)
    started_s = time.monotonic()
    waiting = list(plan.troubles)
    ends: list[tuple[float, Callable[[], None]]] = []
    is_due = False
    try:
        while waiting or ends or not is_due:
            now_s = time.monotonic() - started_s
            if not is_due and now_s >= plan.due_at_s:
                is_due = _make_due(fleet)
            while waiting and waiting[0].at_s <= now_s:
                trouble = waiting.pop(0)
                end = TROUBLES[trouble.name][0](fleet, trouble.host)
                ends += [(now_s + trouble.lasts_s, end)] if end else []
            for entry in [entry for entry in ends if entry[0] <= now_s]:
                ends.remove(entry)
                entry[1]()
            time.sleep(0.05)
    finally:
        for _, end in ends:
            end()
    return commands


def _make_due(fleet: FleetSite) -> bool:
    """False while the database is away."""
    try:
        make_due(fleet.catalog_url())
    except Exception:
        return False
    return True


def _keep_logs(fleet: FleetSite, seed: str) -> None:
    kept = Path(tempfile.gettempdir()) / f"segfleet-chaos-{seed}"
    shutil.rmtree(kept, ignore_errors=True)
    for name, host in fleet.hosts.items():
        for log in host.folder.glob("*.log"):
            (kept / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(log, kept / name)
