"""Two managers on one PostgreSQL catalog, with the same agents: what one does never harms what the other does."""

from __future__ import annotations

import json
import platform
import shutil
import signal
from functools import partial

import psutil
import pytest

from kit.compare import differences
from kit.deadlines import eventually
from kit.models.owners import ELSEWHERE, change_owners
from kit.models.reservations import NEW_YEAR, make_due
from kit.program.command import Running
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.services.fleet import Fleet, kill_tree
from kit.services.postgres import PostgresServer
from kit.tree import Tree, noise
from producer.catalog.catalog import Catalog
from producer.ownership.lock_holder import NEW_DEVICES, LockHolder
from producer.ownership.verdict import GONE_S

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")

#: A backup takes 45 s, unless the brake is released: the machine may be busy.
SLOW = "32KiB"


class Site:
    """Managers m and n, both with the volumes ``data`` and ``more``; agents for the devices a and b; a master."""

    def __init__(self, fleet: Fleet, catalog_url: str, *, rate: str = "") -> None:
        self.fleet = fleet
        self.catalog_url = catalog_url
        self.sources = {
            name: Tree({f"d/{n:02}": noise(150_000, seed=seed + n) for n in range(20)}).make(fleet.folder / name)
            for seed, name in ((0, "data"), (100, "more"))
        }
        self.disks = {name: fleet.folder / "disks" / name for name in ("a", "b")}
        for disk in self.disks.values():
            disk.mkdir(parents=True)
        agents = fleet.host(
            "agents", devices=self.disks, sources=self.sources, targets={"back": fleet.folder / "back"}, rate=rate
        )
        self.brake = Brake(fleet.folder / "brake")
        fleet.agent(agents, "a", "b", settings=self.brake.settings)
        self.managers = {name: self._manager(name) for name in ("m", "n")}
        self.master = fleet.host("master")

    def _manager(self, name: str) -> Running:
        host = self.fleet.host(f"host-{name}", devices={"a": None, "b": None}, sources=self.sources)
        return self.fleet.manager(host, name, SEGFLEET_CATALOG_URL=self.catalog_url)

    def start_backup(self, volume: str, manager: str) -> Running:
        return self.master.start("backup", volume, *SMALL, "--manager", manager, "--json")

    def restore_is_whole(self, snapshot_id: str, volume: str) -> None:
        self.master.succeed("restore", snapshot_id, "--target", "back", "--manager", "m")
        assert differences(self.sources[volume], self.fleet.folder / "back" / volume) == []

    def pools(self) -> set[str]:
        return {json.loads((disk / "segfleet.json").read_text())["pool_id"] for disk in self.disks.values()}


@pytest.fixture
def catalog_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


def run_of(manager: Running) -> psutil.Process:
    """The process that carries out the one run of the manager."""
    found = eventually(lambda: psutil.Process(manager.pid).children(), "the manager has a run")
    # Beside it may be the process that commands are forked from.
    return max(found, key=lambda process: process.create_time())


def test_a_second_backup_of_a_volume_is_refused_with_the_owner_of_its_lock_and_harms_nothing(
    fleet: Fleet, catalog_url: str
) -> None:
    site = Site(fleet, catalog_url, rate=SLOW)
    first = site.start_backup("data", "m")
    first.wait_until_storing()

    second = site.master.run("backup", "data", *SMALL, "--manager", "n", "--json")
    unlocked = site.master.run("unlock", "data", "--manager", "n")
    [listed] = site.master.succeed("unlock", "--list", "--manager", "n", "--json").rows
    volumes = site.master.succeed("status", "--manager", "n", "--json").rows_of("volume")
    site.brake.release()
    done = first.wait()

    assert (second.exit_code, unlocked.exit_code) == (11, 11)
    assert "volume data is in use by backup of data (pid" in second.stderr
    assert ", manager m, since" in second.stderr
    assert ", manager m, since" in unlocked.stderr
    assert (listed["name"], listed["manager"], listed["owner"]) == ("volume data", "m", "alive")
    assert [(row["volume"], row["state"], row["lock"]["manager"]) for row in volumes] == [("data", "running", "m")]
    assert done.exit_code == 0, done
    site.restore_is_whole(done.summary["snapshot_id"], "data")
    assert len(site.master.succeed("snapshots", "--manager", "n", "--json").rows) == 1


def is_waiting(running: Running) -> bool:
    return "waiting for a test" in running.stderr


def test_two_managers_that_meet_the_same_empty_devices_make_one_pool(fleet: Fleet, catalog_url: str) -> None:
    site = Site(fleet, catalog_url)
    with Catalog(catalog_url) as catalog, LockHolder(catalog, catalog_url) as holder:
        with holder.holding(NEW_DEVICES, purpose="a test"):
            running = {"data": site.start_backup("data", "m"), "more": site.start_backup("more", "n")}
            for backup in running.values():
                eventually(partial(is_waiting, backup), "it has found both devices empty")
        done = {volume: backup.wait() for volume, backup in running.items()}

    assert [each.exit_code for each in done.values()] == [0, 0], done
    assert len(site.pools()) == 1
    for volume, each in done.items():
        site.restore_is_whole(each.summary["snapshot_id"], volume)
        shutil.rmtree(fleet.folder / "back")
    site.master.succeed("check", "--read-data", "--manager", "n")


def test_the_volume_of_a_manager_whose_host_is_gone_is_taken_over_by_another(fleet: Fleet, catalog_url: str) -> None:
    site = Site(fleet, catalog_url, rate=SLOW)
    site.start_backup("data", "m").wait_until_storing()
    kill_tree(site.managers["m"])
    change_owners(catalog_url, pid_space=ELSEWHERE, host="far.example", silent_s=0)

    refused = site.master.run("backup", "data", *SMALL, "--manager", "n")
    change_owners(catalog_url, silent_s=GONE_S + 1)
    site.brake.release()
    done = site.master.succeed("backup", "data", *SMALL, "--manager", "n", "--json")

    assert refused.exit_code == 11
    assert "on far.example, manager m" in refused.stderr
    assert "end it on far.example; if it is gone, the lock is free after 60 s" in refused.stderr
    assert "the previous backup of data did not finish" in done.stderr
    assert "continuing snapshot" in done.stderr


def test_what_is_reserved_by_way_of_a_manager_is_run_by_that_one_alone(machine: Machine, catalog_url: str) -> None:
    source = Tree({"letter": b"dear reader"}).make(machine.folder / "home")
    (machine.folder / "segfleet.toml").write_text(f'[sources.home]\npath = "{source}"\n')

    def run_due(manager: str) -> int:
        settings = {"SEGFLEET_CATALOG_URL": catalog_url, "SEGFLEET_ON_BEHALF_OF": manager}
        return int(machine.succeed("schedule", "run-due", "--json", **settings).summary["runs"])

    for volume, manager in (("by-m", "m"), ("by-host", "")):
        settings = {"SEGFLEET_CATALOG_URL": catalog_url, "SEGFLEET_ON_BEHALF_OF": manager}
        machine.succeed("schedule", "add", volume, "home", *machine.devices("a b"), *NEW_YEAR, **settings)
    make_due(catalog_url)

    assert [run_due("n"), run_due("n"), run_due("m")] == [1, 0, 1]
    with Catalog(catalog_url) as catalog:
        rows = {row.volume: (row.manager, row.host, row.last_outcome) for row in catalog.reservations.all()}
    assert rows == {"by-m": ("m", "", "done"), "by-host": ("", platform.node(), "done")}


def test_a_run_that_wakes_up_after_its_volume_was_taken_over_changes_nothing(fleet: Fleet, catalog_url: str) -> None:
    site = Site(fleet, catalog_url, rate=SLOW)
    sleeper = site.start_backup("data", "m")
    sleeper.wait_until_storing()
    run = run_of(site.managers["m"])
    # Stopped while it writes to the catalog, it would let nobody else do so; from now on it has little to write.
    eventually(lambda: all(list(disk.rglob("*.tmp")) for disk in site.disks.values()), "both devices are at work")
    run.send_signal(signal.SIGSTOP)
    change_owners(catalog_url, pid_space=ELSEWHERE, host="far.example", silent_s=GONE_S + 1)
    site.brake.release()

    done = site.master.succeed("backup", "data", *SMALL, "--manager", "n", "--json")
    run.send_signal(signal.SIGCONT)
    ended = sleeper.wait()

    assert ended.exit_code == 11, ended
    assert "this run has lost its locks" in ended.stderr
    [snapshot] = site.master.succeed("snapshots", "--manager", "n", "--json").rows
    assert snapshot["snapshot_id"] == done.summary["snapshot_id"]
    site.master.succeed("check", "--read-data", "--manager", "n")
    with Catalog(catalog_url) as catalog:
        assert (catalog.locks.all(), catalog.owners.all()) == ([], [])
