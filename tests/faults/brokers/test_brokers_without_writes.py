"""A broker that answers reads and refuses writes: it is waited for, as one that is down."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis

from kit.deadlines import eventually
from kit.program.halting.brake import Brake
from kit.services.fleet import Fleet
from kit.services.fleet import fleet as new_fleet
from kit.tree import Tree, noise
from producer.broker.configured import check_configured
from tasks.errors import BrokerError

Change = Callable[[redis.Redis], object]

REFUSALS: dict[str, tuple[Change, Change]] = {
    "a replica": (
        lambda client: client.execute_command("REPLICAOF", "127.0.0.1", "1"),
        lambda client: client.execute_command("REPLICAOF", "NO", "ONE"),
    ),
    "no memory": (
        lambda client: client.config_set("maxmemory", "1"),
        lambda client: client.config_set("maxmemory", "0"),
    ),
}


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with new_fleet() as made:
        yield made


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_broker_that_refuses_writes_is_named_at_the_start(fleet: Fleet, refusal: str) -> None:
    refuse, allow = REFUSALS[refusal]
    refuse(fleet.server.client())
    with pytest.raises(BrokerError, match=r"READONLY|OOM|read only|maxmemory"):
        check_configured(fleet.server.url)
    allow(fleet.server.client())
    check_configured(fleet.server.url)
    assert list(fleet.server.client().scan_iter()) == []


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_run_waits_for_a_broker_that_refuses_writes(fleet: Fleet, refusal: str) -> None:
    refuse, allow = REFUSALS[refusal]
    Tree({f"{n:02}": noise(100_000, seed=n) for n in range(10)}).make(fleet.folder / "data")
    brake = Brake(fleet.folder / "brake")
    disks = {name: fleet.folder / "disks" / name for name in "abc"}
    for disk in disks.values():
        disk.mkdir(parents=True)
    agents = fleet.host("agents", devices=disks, sources={"data": fleet.folder / "data"}, rate="64KiB")
    # That of c has no order.
    agent = fleet.agent(agents, "a", "b", "c", settings=brake.settings)
    run = fleet.host("run", devices={"a": None, "b": None}, sources={"data": fleet.folder / "data"})
    backup = run.start("backup", "data", "--segment-size=256KiB", "--unit-size=64KiB", "--json")
    eventually(lambda: any(lease.bytes_moved for lease in fleet.leases()), "the agents store")

    refuse(fleet.server.client())
    brake.release()
    eventually(lambda: not fleet.leases(), "all leases have expired")
    assert not backup.has_ended, backup.stderr
    allow(fleet.server.client())

    eventually(lambda: backup.has_ended, f"the backup has ended: {backup.stderr}")
    done = backup.wait()
    assert done.exit_code == 0, done
    assert done.errors == []
    assert "Traceback" not in done.stderr
    assert "Traceback" not in agent.stderr
