"""A fleet of one manager, the agents of two devices, and a master somewhere else."""

from __future__ import annotations

from collections.abc import Mapping

from kit.program.halting.brake import Brake
from kit.services.fleet import Fleet
from kit.tree import Tree, noise


class Site:
    """One manager m with volume ``data``, agents for the devices a and b, and a master somewhere else.

    The devices are no faster than ``rate``, which may be one for each, until ``brake`` is released.
    """

    def __init__(self, fleet: Fleet, *, rate: str | Mapping[str, str] = "", tree: Tree | None = None) -> None:
        self.fleet = fleet
        tree = tree or Tree({f"d/{n:02}": noise(150_000, seed=n) for n in range(20)})
        self.source = tree.make(fleet.folder / "data")
        disks = {name: fleet.folder / "disks" / name for name in ("a", "b")}
        for disk in disks.values():
            disk.mkdir(parents=True)
        self.agents = fleet.host(
            "agents", devices=disks, sources={"data": self.source}, targets={"back": fleet.folder / "back"}, rate=rate
        )
        self.brake = Brake(fleet.folder / "brake")
        fleet.agent(self.agents, "a", "b", settings=self.brake.settings)
        self.host = fleet.host("manager", devices={"a": None, "b": None}, sources={"data": self.source})
        self.master = fleet.host("master")
        self.manager = fleet.manager(self.host, "m")
