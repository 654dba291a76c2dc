"""Agents that die in the middle of a run and never come back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from kit.services.fleet import Fleet, fleet, kill_tree

MIB = 1024 * 1024


@pytest.fixture
def three() -> Iterator[Fleet]:
    with fleet() as made:
        yield made


def test_a_run_ends_though_a_dead_device_never_says_whether_it_is_back(three: Fleet) -> None:
    source = three.folder / "data"
    source.mkdir()
    for number in range(16):
        (source / f"{number}").write_bytes(os.urandom(MIB))
    folders = {device: three.folder / f"disk-{device}" for device in "ab"}
    for folder in folders.values():
        folder.mkdir()
    agents = {}
    for device, folder in folders.items():
        host = three.host(f"host-{device}", devices={device: folder}, sources={"data": source}, rate="1MiB")
        agents[device] = three.agent(host, device)
    master = three.host("master", devices=dict.fromkeys("ab"), sources={"data": source})

    # It asks the dead device every half second whether it is back.
    running = master.start("backup", "data", "--json", "--segment-size=1MiB", SEGFLEET_REJOIN_S="0.5")
    running.wait_until_storing()
    kill_tree(agents["b"])

    done = running.wait()
    assert done.exit_code == 0, done
    assert done.summary["devices"]["b"]["state"] == "dead"
    assert done.summary["segments"] == sum(done.summary["devices"][device]["segments"] for device in "ab")
