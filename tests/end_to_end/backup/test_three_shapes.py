"""One program, three shapes: on one machine, with one manager elsewhere, and a fleet that loses and gains hosts."""

from __future__ import annotations

from pathlib import Path

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.services.fleet import Fleet, kill_tree
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")
DEVICES = ("a", "b", "c", "d")


def tree(fleet: Fleet, name: str, seed: int) -> Path:
    files = {f"folder {n % 3}/{n:02}": noise(120_000 + n, seed=seed + n) for n in range(40)}
    return Tree({**files, "large": noise(5_000_000, seed=seed)}).make(fleet.folder / name)


def agent_host(fleet: Fleet, device: str, sources: dict[str, Path]) -> Machine:
    disk = fleet.folder / "disks" / device
    disk.mkdir(parents=True)
    targets = {f"back-{name}": fleet.folder / f"back-{name}" for name in sources}
    return fleet.host(f"host-{device}", devices={device: disk}, sources=sources, targets=targets, rate="64KiB")


def test_everything_on_one_machine_with_a_broker_of_its_own_host(fleet: Fleet) -> None:
    source = tree(fleet, "data", seed=1)
    folders = {name: fleet.folder / "disks" / name for name in ("a", "b")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    machine = fleet.host("machine", devices=folders, sources={"data": source})

    machine.succeed("backup", "data", *SMALL)
    machine.succeed("restore", "latest", "--target", fleet.folder / "back")

    assert differences(source, fleet.folder / "back" / "data") == []


def test_two_managers_and_four_agents_lose_an_agent_and_a_manager_and_gain_a_worker(fleet: Fleet) -> None:
    sources = {"photos": tree(fleet, "photos", seed=100), "mail": tree(fleet, "mail", seed=200)}
    hosts = {device: agent_host(fleet, device, sources) for device in DEVICES}
    brake = Brake(fleet.folder / "brake")
    agents = {device: fleet.agent(host, device, settings=brake.settings) for device, host in hosts.items()}
    fleet.agent(hosts["b"], "b", settings=brake.settings)
    owners = {
        name: fleet.host(f"owner-{name}", devices=dict.fromkeys(DEVICES), sources={name: sources[name]})
        for name in sources
    }
    running_managers = {name: fleet.manager(host, f"m-{name}") for name, host in owners.items()}
    master = fleet.host("master")
    # The devices join their pool before two managers use them at once.
    master.succeed("devices", "--manager", "m-photos")

    runs = {"photos": master.start("backup", "photos", *SMALL, "--json")}
    runs["photos"].wait_until_storing()
    runs["mail"] = master.start("backup", "mail", *SMALL, "--json")
    runs["mail"].wait_until_storing()
    kill_tree(agents["a"])
    kill_tree(running_managers["mail"])
    fleet.agent(hosts["b"], "b", settings=brake.settings)
    third = next(lease for lease in fleet.leases() if lease.worker.startswith("b.3@"))
    eventually(lambda: moved(fleet, third.pid) > 0, "the third worker of b has moved bytes")
    brake.release()
    fleet.manager(owners["mail"], "m-mail")
    done = {name: run.wait() for name, run in runs.items()}
    fleet.agent(hosts["a"], "a", settings=brake.settings)
    for name in sources:
        master.succeed("restore", "latest", "--target", f"back-{name}", "--manager", f"m-{name}")

    assert [(name, run.exit_code) for name, run in done.items()] == [("photos", 0), ("mail", 0)], done
    assert done["photos"].summary["devices"]["a"]["state"] == "dead"
    for name, source in sources.items():
        assert differences(source, fleet.folder / f"back-{name}" / name) == []


def moved(fleet: Fleet, pid: int) -> int:
    return next((lease.bytes_moved for lease in fleet.leases() if lease.pid == pid), 0)
