"""The lists of a snapshot by way of a manager: the same lines as on the manager's own host."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.deadlines import eventually
from kit.disks.raw_volumes import filled, make_file_system
from kit.services.fleet import Fleet
from kit.tree import Symlink, Tree, noise
from producer.manager.presence import managers

TREE = Tree(
    {"d/one": b"1", "d/deep/na\udcefve": b"22", "d/new\nline": b"3", "link": Symlink("d/one"), "big": noise(99)}
)


class Site:
    """Manager m with the sources ``data`` and ``vol``, an image of ext4, and a master somewhere else."""

    def __init__(self, fleet: Fleet, *, agents: bool) -> None:
        self.data = TREE.make(fleet.folder / "data")
        self.image = filled(
            make_file_system(fleet.folder / "ext4.img", "ext4", 16 * 1024 * 1024), fleet.folder / "mnt", a_tree
        )
        sources = {"data": self.data, "vol": self.image}
        disk = fleet.folder / "disk"
        disk.mkdir()
        if agents:
            fleet.agent(fleet.host("agent", devices={"a": disk}, sources=sources), "a")
        self.manager = fleet.host("manager", devices={"a": None if agents else disk}, sources=sources)
        self.manager.start("manager", "m")
        eventually(lambda: "m" in managers(fleet.server.client()), "manager m is there")
        self.master = fleet.host("master")
        self.master.succeed("backup", "data", "--json")

    def id_of_latest(self) -> str:
        snapshot_id: str = self.master.succeed("snapshots", "--json").rows[-1]["snapshot_id"]
        return snapshot_id


def a_tree(folder: Path) -> None:
    (folder / "etc").mkdir()
    (folder / "etc/name").write_bytes(b"tower\n")


def same_here_and_there(site: Site, *arguments: str) -> bytes:
    """What the manager's own host prints, which is what a master prints."""
    there = site.master.succeed(*arguments, "--manager", "m")
    here = site.manager.succeed(*arguments, "--manager", "local")
    assert there.stdout == here.stdout
    return there.stdout


def test_ls_find_and_diff_print_by_a_manager_what_they_print_on_its_host(fleet: Fleet) -> None:
    site = Site(fleet, agents=True)
    (site.data / "more").write_bytes(b"4")
    first = site.id_of_latest()
    site.master.succeed("backup", "data")

    everything = same_here_and_there(site, "ls", "latest", "--json")
    assert same_here_and_there(site, "ls", site.id_of_latest()[:8], "--json") == everything
    assert same_here_and_there(site, "ls", "latest", "data/d").splitlines() != []
    assert same_here_and_there(site, "ls", "latest", "/data/d/") == same_here_and_there(site, "ls", "latest", "data/d")
    assert b"one" in same_here_and_there(site, "ls", "latest", "data/d", "-l", "-R")
    assert same_here_and_there(site, "ls", "latest", "data/d/one", "--json").count(b"\n") == 1
    assert b"data/d/one" in same_here_and_there(site, "find", "one")
    assert b"data/d/one" in same_here_and_there(site, "find", "one", "--snapshot", "latest")
    assert b"data/more" in same_here_and_there(site, "diff", first[:8], "latest")
    assert b"latest" not in same_here_and_there(site, "snapshots", "--json")


def test_what_is_not_there_is_told_as_on_the_managers_host(fleet: Fleet) -> None:
    site = Site(fleet, agents=True)
    cases = {
        ("ls", "latest", "data/gone"): (2, "has no data/gone"),
        ("ls", "latest", "elsewhere"): (2, "has no elsewhere"),
        ("ls", "data"): (2, "does not name a snapshot"),
        ("ls", "ffffffff"): (2, "no snapshot begins with ffffffff"),
        ("diff", "latest", "fffffff"): (2, "does not name a snapshot"),
        ("ls", "latest", "--device=a=/tmp"): (2, "leave --device out"),
    }

    for arguments, (exit_code, why) in cases.items():
        done = site.master.run(*arguments, "--manager", "m")
        assert done.exit_code == exit_code, done
        assert why in done.stderr


@pytest.mark.parametrize("agents", [True, False], ids=["agents", "devices of the manager"])
def test_a_master_looks_into_an_image(fleet: Fleet, agents: bool) -> None:
    site = Site(fleet, agents=agents)
    site.master.succeed("backup", "vol", "--mode", "raw")

    assert same_here_and_there(site, "ls", "vol@latest", "vol").splitlines() == [b"vol"]
    assert b"vol/etc" in same_here_and_there(site, "ls", "vol@latest", "vol/").splitlines()
    assert b"vol/etc/name" in same_here_and_there(site, "ls", "vol@latest", "vol/etc").splitlines()
    assert b"vol/etc/name" in same_here_and_there(site, "ls", "vol@latest", "vol/", "-R", "-l")
