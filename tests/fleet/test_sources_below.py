"""A source below a configured one: agents find it by that one's name, wherever they have it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.halting.brake import Brake
from kit.services.fleet import Fleet
from kit.services.fleet import fleet as new_fleet
from kit.tree import Tree, noise
from producer.manager.presence import managers

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")


class Site:
    """Manager m with the source ``data``, which the agents of the devices a and b have somewhere else."""

    def __init__(self, fleet: Fleet, *, rate: str = "") -> None:
        self.fleet = fleet
        files = {f"{top}/projects/{n:02}": noise(150_000, seed=n + len(top)) for n in range(12) for top in ("x", "yy")}
        self.data = Tree({**files, "x/projects/deep/er/na\udcefve": b"1", "other": b"2"}).make(fleet.folder / "data")
        elsewhere = fleet.folder / "net" / "tower"
        elsewhere.parent.mkdir()
        elsewhere.symlink_to(self.data)
        disks = {name: fleet.folder / "disks" / name for name in ("a", "b")}
        for disk in disks.values():
            disk.mkdir(parents=True)
        self.agents = fleet.host(
            "agents", devices=disks, sources={"data": elsewhere}, targets={"back": self.back}, rate=rate
        )
        self.brake = Brake(fleet.folder / "brake")
        fleet.agent(self.agents, "a", "b", settings=self.brake.settings)
        self.manager = fleet.host("manager", devices={"a": None, "b": None}, sources={"data": self.data})
        self.manager.start("manager", "m")
        eventually(lambda: "m" in managers(fleet.server.client()), "manager m is there")
        self.master = fleet.host("master")

    @property
    def back(self) -> Path:
        return self.fleet.folder / "back"


@pytest.fixture(scope="module")
def idle_site() -> Iterator[Site]:
    """One whose manager backs nothing up, so that the devices a and b stay new."""
    with new_fleet() as fleet:
        yield Site(fleet)


def test_a_folder_below_a_source_is_backed_up_by_agents_and_comes_back(fleet: Fleet) -> None:
    site = Site(fleet)

    done = site.master.succeed("backup", site.data / "x/projects", *SMALL, "--json")
    listed = site.master.succeed("ls", "latest", "projects/deep", "--json").rows
    shown = site.master.succeed("restore", "latest", "--target", "back", "--dry-run", "--json").rows_of("entry")
    site.master.succeed("restore", "latest", "--target", "back")
    again = site.master.succeed("backup", "data/x/projects", "--json")

    assert (done.summary["volume"], done.summary["errors"]) == ("projects", 0)
    assert {name: row["state"] for name, row in done.summary["devices"].items()} == {"a": "live", "b": "live"}
    assert ("new", "projects/deep/er") in {(row["action"], row["path"]) for row in shown}
    assert [row["path"] for row in listed] == ["projects/deep", "projects/deep/er"]
    assert differences(site.data / "x/projects", site.back / "projects") == []
    assert (again.summary["volume"], again.summary["errors"]) == ("projects", 0)


def test_two_folders_of_one_name_below_one_source_stay_apart(fleet: Fleet) -> None:
    site = Site(fleet)

    done = site.master.succeed(
        "backup", site.data / "x/projects", site.data / "yy/projects", site.data / "other", *SMALL, "--json"
    )
    site.master.succeed("restore", "latest", "--target", "back")

    assert done.summary["errors"] == 0
    assert differences(site.data / "x/projects", site.back / "projects") == []
    assert differences(site.data / "yy/projects", site.back / "projects-2") == []
    assert (site.back / "other").read_bytes() == b"2"


def test_an_interrupted_backup_of_a_folder_below_a_source_goes_on(fleet: Fleet) -> None:
    site = Site(fleet, rate="32KiB")
    running = site.master.start("backup", site.data / "x", *SMALL, "--json")
    running.wait_until_storing()
    running.signal(signal.SIGINT)
    assert running.wait().exit_code == 130
    site.brake.release()
    (site.data / "x/projects/new").write_bytes(noise(300_000, seed=99))

    done = site.master.succeed("resume", "--json")
    site.master.succeed("restore", "latest", "--target", "back")

    assert done.summary["errors"] == 0
    assert differences(site.data / "x", site.back / "x") == []


def test_a_folder_that_only_the_manager_has_fails_with_where_it_was_looked_for(idle_site: Site) -> None:
    (idle_site.fleet.folder / "empty").mkdir()
    disk = idle_site.fleet.folder / "disks" / "c"
    disk.mkdir()
    idle_site.fleet.agent(
        idle_site.fleet.host("blind", devices={"c": disk}, sources={"data": idle_site.fleet.folder / "empty"}), "c"
    )
    here = idle_site.fleet.host("here", devices={"c": None}, sources={"data": idle_site.data})

    done = here.run("backup", idle_site.data / "x", "--retries=0", "--manager=local")

    assert done.exit_code == 1
    assert f"source x: {idle_site.fleet.folder}/empty/x: No such file or directory" in done.stderr


def test_what_lies_below_no_source_is_refused_with_the_sources_that_there_are(idle_site: Site) -> None:
    (idle_site.data / "out").symlink_to("/etc")

    for source in (
        idle_site.data.parent,
        idle_site.data / "../net",
        idle_site.data / "out",
        "data/../net",
        "elsewhere/x",
    ):
        done = idle_site.master.run("backup", source, "--manager", "m")
        assert done.exit_code == 2, done
        assert "is not inside a source of this manager" in done.stderr
        assert f"data ({idle_site.data})" in done.stderr


def test_a_device_of_this_host_takes_part_without_an_agent(idle_site: Site) -> None:
    disk = idle_site.fleet.folder / "disks" / "own"
    disk.mkdir()
    here = idle_site.fleet.host("mixed", devices={"a": None, "own": disk}, sources={"data": idle_site.data})

    done = here.succeed("backup", idle_site.data / "x", *SMALL, "--manager=local", "--json")

    assert done.summary["errors"] == 0
    assert all(row["segments"] for row in done.summary["devices"].values())
