"""Workers that are not as they should be: of one name, of a device that another pool owns, with clocks that jump."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.clock import FakeClock
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.services.fleet import Fleet, kill_tree, signal_tree
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")


def source_of(fleet: Fleet) -> Path:
    return Tree({f"d/{number:02}": noise(200_000, seed=number) for number in range(20)}).make(fleet.folder / "data")


def folder_of(fleet: Fleet, device: str) -> Path:
    folder = fleet.folder / "disks" / device
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def agent_host(fleet: Fleet, name: str, *devices: str, rate: str = "") -> Machine:
    return fleet.host(
        name,
        devices={device: folder_of(fleet, device) for device in devices},
        sources={"data": fleet.folder / "data"},
        targets={"back": fleet.folder / "back"},
        rate=rate,
    )


def centre(fleet: Fleet, *devices: str) -> Machine:
    return fleet.host("centre", devices=dict.fromkeys(devices), sources={"data": fleet.folder / "data"})


def serving(fleet: Fleet) -> set[tuple[str, int]]:
    """(node name without its host, process id) of the workers that have a lease."""
    return {(lease.worker.partition("@")[0], lease.pid) for lease in fleet.leases()}


def test_a_worker_that_slept_while_another_got_its_name_takes_a_new_one_and_none_does_harm(fleet: Fleet) -> None:
    source = source_of(fleet)
    here = centre(fleet, "a")
    # Until it is released, a worker takes 4 s for a segment.
    host = agent_host(fleet, "host", "a", rate="64KiB")
    brake = Brake(fleet.folder / "brake")
    sleeper = fleet.agent(host, "a", settings=brake.settings)
    ((_, slept),) = serving(fleet)
    signal_tree(sleeper, signal.SIGSTOP)
    eventually(lambda: not fleet.leases(), "the lease of the one that sleeps runs out")
    twin = fleet.agent(host, "a", settings=brake.settings)
    ((_, second),) = serving(fleet)
    signal_tree(sleeper, signal.SIGCONT)
    eventually(lambda: serving(fleet) == {("a", second), ("a.2", slept)}, "each has a name of its own")
    running = here.start("backup", "data", *SMALL, "--json")
    for pid in (slept, second):
        fleet.wait_until_moved(pid)

    kill_tree(twin)
    assert not running.has_ended
    brake.release()
    done = running.wait()

    assert done.exit_code == 0, done
    assert done.errors == []
    assert done.summary["devices"]["a"]["segments"] == done.summary["segments"]
    here.succeed("check", "--read-data")
    here.succeed("restore", "latest", "--target", "back")
    assert differences(source, fleet.folder / "back" / "data") == []
    assert list(folder_of(fleet, "a").rglob("*.tmp")) == []


def test_devices_of_two_pools_are_refused_and_nothing_is_written_to_them(fleet: Fleet) -> None:
    source_of(fleet)
    fleet.agent(agent_host(fleet, "host", "a", "b"), "a", "b")
    for device in "ab":
        fleet.host(f"owner-{device}", devices={device: None}, sources={"data": fleet.folder / "data"}).succeed(
            "backup", "data"
        )
    before = sorted((fleet.folder / "disks").rglob("*"))

    done = centre(fleet, "a", "b").run("backup", "data", "--json")

    pools = [json.loads((folder_of(fleet, device) / "segfleet.json").read_text())["pool_id"] for device in "ab"]
    assert done.exit_code == 10
    assert "belong to different pools" in done.errors[0]["message"]
    assert all(f"pool {pool[:8]}" in done.errors[0]["message"] for pool in pools)
    assert sorted((fleet.folder / "disks").rglob("*")) == before


def test_agents_whose_clocks_are_days_apart_and_jump_serve_a_run_like_others(fleet: Fleet) -> None:
    source = source_of(fleet)
    here = centre(fleet, "a", "b")
    hosts = {device: agent_host(fleet, f"host-{device}", device, rate="64KiB") for device in "ab"}
    brake = Brake(fleet.folder / "brake")
    clocks = {device: FakeClock(host.folder) for device, host in hosts.items()}
    clocks["a"].jump(days=-5)
    for device, host in hosts.items():
        fleet.agent(host, device, settings={**clocks[device].settings, **brake.settings})
    running = here.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()

    clocks["a"].jump(days=2)
    clocks["b"].jump(days=-1)
    before = {lease.pid: lease.bytes_moved for lease in fleet.leases()}
    for pid, bytes_count in before.items():
        fleet.wait_until_moved(pid, more_than_bytes=bytes_count)
    assert not running.has_ended
    brake.release()
    done = running.wait()

    assert done.exit_code == 0, done
    assert done.errors == []
    assert {row["state"] for row in done.summary["devices"].values()} == {"live"}
    # Others may be rerouted, to keep devices of unequal speed busy.
    assert " segments go to " not in done.stderr
    assert done.summary["segments_retried"] == 0
    here.succeed("restore", "latest", "--target", "back")
    assert differences(source, fleet.folder / "back" / "data") == []


def test_two_runs_with_workers_of_their_own_for_devices_of_one_name_are_kept_apart(fleet: Fleet) -> None:
    source = source_of(fleet)
    hosts = [
        fleet.host(name, devices={"a": folder_of(fleet, f"a-of-{name}")}, sources={"data": source}, rate="128KiB")
        for name in ("one", "two")
    ]
    first = hosts[0].start("backup", "data", *SMALL, "--json")
    first.wait_until_storing()

    second = hosts[1].run("backup", "data", *SMALL, "--json")

    assert second.exit_code == 11
    assert "device a is in use: another run at this broker has its own worker for it, a@" in second.stderr
    assert list(folder_of(fleet, "a-of-two").iterdir()) == []
    first.signal(signal.SIGINT)
    assert first.wait().exit_code == 130
    # The worker of a run that has ended is in nobody's way, though its lease may live for some seconds.
    again = hosts[0].start("resume", "--json")
    again.wait_until_storing()
