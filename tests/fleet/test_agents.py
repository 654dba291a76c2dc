"""Agents: a run uses the workers that are there, on whatever host, and starts none of its own for their devices."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.services.fleet import Fleet, kill_tree
from kit.tree import Tree, noise
from tasks.broker.leases import LEASE_LIFE_S, Lease, lease_key
from tasks.orders import WIRE_VERSION

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")


def source_of(fleet: Fleet, files_count: int = 20) -> Path:
    return Tree({f"d/{number:02}": noise(200_000, seed=number) for number in range(files_count)}).make(
        fleet.folder / "data"
    )


def device_folder(fleet: Fleet, name: str) -> Path:
    folder = fleet.folder / "disks" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def agent_host(fleet: Fleet, name: str, *devices: str, rate: str = "") -> Machine:
    return fleet.host(
        name,
        devices={device: device_folder(fleet, device) for device in devices},
        sources={"data": fleet.folder / "data"},
        targets={"back": fleet.folder / "back"},
        rate=rate,
    )


def centre(fleet: Fleet, *devices: str) -> Machine:
    """The host where the commands run: it has no device, and the source somewhere else than the agents say."""
    return fleet.host("centre", devices=dict.fromkeys(devices), sources={"data": fleet.folder / "data"})


def test_a_run_uses_the_agents_that_are_there_and_leaves_them_working(fleet: Fleet) -> None:
    source = source_of(fleet)
    here = centre(fleet, "a", "b")
    agents = [fleet.agent(agent_host(fleet, f"host-{name}", name), name) for name in ("a", "b")]

    done = here.succeed("backup", "data", *SMALL, "--json")
    here.succeed("restore", "latest", "--target", "back")
    here.succeed("check", "--read-data")

    assert differences(source, fleet.folder / "back" / "data") == []
    assert {row["pid"] for row in done.rows_of("worker")} == {lease.pid for lease in fleet.leases()}
    assert {device["state"] for device in done.summary["devices"].values()} == {"live"}
    assert not any(agent.has_ended for agent in agents)
    assert list(here.state.glob("logs/worker-*")) == []


def test_an_agent_on_whose_host_the_source_is_not_mounted_costs_no_file(fleet: Fleet) -> None:
    source, mount_point = source_of(fleet, 6), fleet.folder / "not mounted"
    mount_point.mkdir()
    here = centre(fleet, "a", "b")
    fleet.agent(agent_host(fleet, "host-a", "a"), "a")
    blind = fleet.host(
        "host-b",
        devices={"b": device_folder(fleet, "b")},
        sources={"data": mount_point},
        targets={"back": fleet.folder / "back"},
    )
    fleet.agent(blind, "b")

    done = here.succeed("backup", "data", *SMALL, "--json")
    here.succeed("restore", "latest", "--target", "back")

    assert done.errors == []
    assert "device b: its worker does not find files" in done.stderr
    assert differences(source, fleet.folder / "back" / "data") == []


def test_nothing_of_a_run_is_left_in_the_broker(fleet: Fleet) -> None:
    source_of(fleet)
    here = centre(fleet, "a")
    fleet.agent(agent_host(fleet, "host", "a"), "a")

    here.succeed("backup", "data")

    def left() -> set[str]:
        keys = {key.decode() for key in fleet.server.client().scan_iter()}
        return {key for key in keys if key.startswith(("device.", "manager.", "unacked"))}

    # An agent acknowledges an order after its receipt has gone.
    eventually(lambda: not left(), "nothing is left")


def test_a_device_that_no_agent_serves_is_refused_with_what_is_there(fleet: Fleet) -> None:
    source_of(fleet)
    here = centre(fleet, "a", "z")
    fleet.agent(agent_host(fleet, "host", "a"), "a")

    done = here.run("backup", "data")

    assert done.exit_code == 10
    assert "device z" in done.stderr
    assert "no agent serves it" in done.stderr
    assert "agents for a (a@" in done.stderr
    assert "127.0.0.1" in done.stderr


def test_a_device_of_the_catalog_that_no_agent_serves_any_more_is_absent_and_the_backup_goes_on(fleet: Fleet) -> None:
    source = source_of(fleet)
    here = centre(fleet, "a", "b")
    fleet.agent(agent_host(fleet, "host-a", "a"), "a")
    agent = fleet.agent(agent_host(fleet, "host-b", "b"), "b")
    here.succeed("backup", "data")
    kill_tree(agent)
    eventually(lambda: {lease.device for lease in fleet.leases()} == {"a"}, "the lease of b runs out")
    (source / "more").write_bytes(noise(300_000, seed=99))

    done = here.run("backup", "data", "--force", "--json")

    assert [row["code"] for row in done.errors] == ["device-absent"]
    assert {name: row["state"] for name, row in done.summary["devices"].items()} == {"a": "live", "b": "absent"}


def test_a_worker_that_comes_in_the_middle_of_a_run_takes_its_share(fleet: Fleet) -> None:
    source = source_of(fleet)
    here = centre(fleet, "a")
    # Alone it would take a minute.
    fleet.agent(agent_host(fleet, "slow", "a", rate="64KiB"), "a")
    running = here.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()

    fleet.agent(agent_host(fleet, "fast", "a"), "a")
    names = sorted(lease.worker.partition("@")[0] for lease in fleet.leases())
    second = next(lease for lease in fleet.leases() if lease.worker.startswith("a.2@"))
    fleet.wait_until_moved(second.pid)
    done = running.wait()
    here.succeed("restore", "latest", "--target", "back")

    assert done.exit_code == 0, done
    assert names == ["a", "a.2"]
    assert differences(source, fleet.folder / "back" / "data") == []


def test_one_of_two_workers_of_a_device_dies_and_what_it_held_is_stored_by_the_other(fleet: Fleet) -> None:
    source = source_of(fleet)
    here = centre(fleet, "a")
    # Until it is released, a worker takes 4 s for a segment.
    host = agent_host(fleet, "host", "a", rate="64KiB")
    brake = Brake(fleet.folder / "brake")
    fleet.agent(host, "a", settings=brake.settings)
    doomed = fleet.agent(host, "a", settings=brake.settings)
    pid = next(lease.pid for lease in fleet.leases() if lease.worker.startswith("a.2@"))
    running = here.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()
    fleet.wait_until_moved(pid)

    kill_tree(doomed)
    assert not running.has_ended
    brake.release()
    done = running.wait()
    here.succeed("restore", "latest", "--target", "back")

    assert done.exit_code == 0, done
    assert done.errors == []
    assert differences(source, fleet.folder / "back" / "data") == []


def test_sigterm_lets_a_worker_finish_what_it_has_in_hand(fleet: Fleet) -> None:
    source = source_of(fleet)
    here = centre(fleet, "a", "b")
    fleet.agent(agent_host(fleet, "host-a", "a"), "a")
    # Until it is released, b takes 49 s for a segment.
    host = agent_host(fleet, "host-b", "b", rate="4KiB")
    brake = Brake(fleet.folder / "brake")
    agent = fleet.agent(host, "b", settings=brake.settings)
    running = here.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()
    [begun] = eventually(lambda: list(device_folder(fleet, "b").glob("segments/*/*.tmp")), "b has a segment in hand")

    agent.signal(signal.SIGTERM)
    told_s = time.monotonic()
    eventually(lambda: time.monotonic() - told_s > 2 * LEASE_LIFE_S + 2, "who gives no sign of life is dead by now")
    brake.release()

    assert agent.wait().exit_code == 0
    assert begun.with_name(begun.name.partition(".seg")[0] + ".seg").exists()
    done = running.wait()
    assert done.exit_code == 0
    # Nobody serves b any more at the seal: what it holds is stored again where it can be restored from.
    assert done.summary["devices"]["b"]["segments"] == 0
    here.succeed("restore", "latest", "--target", "back")
    assert differences(source, fleet.folder / "back" / "data") == []


def test_an_agent_replaces_a_worker_that_ended_and_says_so(fleet: Fleet) -> None:
    source_of(fleet)
    agent = fleet.agent(agent_host(fleet, "host", "a"), "a")
    first = fleet.leases()[0].pid

    os.kill(first, signal.SIGKILL)

    eventually(lambda: {lease.pid for lease in fleet.leases()} - {first}, "another worker serves a")
    assert "the worker of device a ended (signal SIGKILL)" in agent.stderr


def test_a_worker_of_another_version_is_refused_with_both_versions_named(fleet: Fleet) -> None:
    source_of(fleet)
    here = centre(fleet, "a")
    lease = Lease(
        device="a",
        worker="a@old",
        pid=1,
        bytes_moved=0,
        order_id="",
        wire=WIRE_VERSION + 1,
        release="9.8.7",
        shared=True,
    )
    fleet.server.client().set(lease_key("a", "a@old"), msgspec.json.encode(lease))

    done = here.run("backup", "data")

    assert done.exit_code == 1
    assert f"a@old is segfleet 9.8.7 (messages {WIRE_VERSION + 1})" in done.stderr
    assert f"(messages {WIRE_VERSION})" in done.stderr


def test_a_device_that_is_not_in_the_agents_configuration_is_refused_with_those_that_are(fleet: Fleet) -> None:
    source_of(fleet)
    host = agent_host(fleet, "host", "a", "b")

    done = host.run("worker", "c")

    assert done.exit_code == 2
    assert "device c is not in the configuration" in done.stderr
    assert "known here: a, b" in done.stderr


def test_an_agent_without_a_broker_is_refused(fleet: Fleet) -> None:
    host = agent_host(fleet, "host", "a")
    (host.folder / "segfleet.toml").write_text(f'[devices.a]\npath = "{device_folder(fleet, "a")}"\n')

    done = host.run("worker", "a")

    assert done.exit_code == 2
    assert "needs a broker" in done.stderr
