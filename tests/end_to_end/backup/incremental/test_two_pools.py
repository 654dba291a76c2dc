"""Two volumes, backed up to two pools in turn, in one catalog: neither pool stands for the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.compare import differences
from kit.program.command import Done
from kit.program.machine import Machine, machine
from kit.tree import Tree, noise

HERE, ELSEWHERE = "a b", "c d"
VOLUMES = ("home", "db")


@pytest.fixture(scope="module")
def pools() -> Iterator[Machine]:
    """Both volumes in both pools; home once more in the second, changed in between."""
    with machine() as made:
        for number, volume in enumerate(VOLUMES):
            Tree({"same": noise(100_000, number), "changing": b"first"}).make(made.folder / volume)
        for devices in (HERE, ELSEWHERE):
            for volume in VOLUMES:
                back_up(made, volume, devices)
        (made.folder / "home" / "changing").write_bytes(b"second")
        back_up(made, "home", ELSEWHERE)
        yield made


def back_up(pools: Machine, volume: str, devices: str) -> Done:
    return pools.succeed("backup", "--json", pools.folder / volume, *pools.devices(devices), "--reserve=1MiB")


def ids(pools: Machine, **wanted: str) -> list[str]:
    rows = pools.succeed("snapshots", "--json").rows
    return [row["snapshot_id"] for row in rows if wanted.items() <= row.items()]


def pool_of(pools: Machine, device: str) -> str:
    rows = pools.succeed("devices", "--json").rows
    return next(str(row["pool_id"]) for row in rows if row.get("name") == device)


def test_latest_is_the_newest_in_the_pool_of_the_named_devices(pools: Machine) -> None:
    for devices, text in ((HERE, b"first"), (ELSEWHERE, b"second")):
        target = pools.folder / f"out-{devices[0]}"
        pools.succeed("restore", "home@latest", "--target", target, *pools.devices(devices))
        assert (target / "home" / "changing").read_bytes() == text
        dumped = pools.succeed("dump", "home@latest", "home/changing", *pools.devices(devices))
        assert dumped.stdout == text
        listed = pools.succeed("ls", "home@latest", "home/changing", "--json", *pools.devices(devices)).rows
        assert [row["size_bytes"] for row in listed] == [len(text)]


def test_latest_without_a_volume_is_refused_where_the_pool_has_several(pools: Machine) -> None:
    for command in (["restore", "latest", "--target", "nowhere"], ["check", "latest"]):
        refused = pools.run(*command, *pools.devices(HERE))
        assert (refused.exit_code, "home@latest" in refused.stderr) == (2, True)


def test_each_volume_comes_back_from_each_pool(pools: Machine) -> None:
    (pools.folder / "home" / "changing").write_bytes(b"second")
    for devices in (HERE, ELSEWHERE):
        target = pools.folder / f"db-{devices[0]}"
        pools.succeed("restore", "db@latest", "--target", target, *pools.devices(devices))
        assert differences(pools.folder / "db", target / "db") == []


def test_a_check_is_about_both_pools_and_names_what_is_not_there(pools: Machine) -> None:
    checked = pools.succeed("check", "--json", "--read-data")
    assert (checked.summary["snapshots"], checked.summary["errors"]) == (5, 0)
    assert pools.run("check", *pools.devices(HERE)).exit_code == 3
    assert pools.succeed("check", "home@latest", "--json", *pools.devices(HERE)).summary["snapshots"] == 1


def test_a_policy_keeps_the_last_snapshot_in_each_pool(pools: Machine) -> None:
    preview = pools.succeed("forget", "--keep-last", "1", "--dry-run", "--json")
    verdicts = {(row["volume"], row["pool_id"], row["verdict"]) for row in preview.rows if "verdict" in row}
    here, elsewhere = pool_of(pools, "a"), pool_of(pools, "c")
    kept = {(volume, pool, "keep") for volume in VOLUMES for pool in (here, elsewhere)}
    assert verdicts == {*kept, ("home", elsewhere, "forget")}


def test_all_snapshots_of_a_volume_in_one_pool_do_not_go_by_their_names(pools: Machine) -> None:
    here = pool_of(pools, "a")
    refused = pools.run("forget", *ids(pools, volume="home", pool_id=here))
    assert (refused.exit_code, f"all snapshots of volume home in pool {here[:8]}" in refused.stderr) == (2, True)


def test_what_is_forgotten_and_pruned_in_one_pool_leaves_the_other_whole(pools: Machine) -> None:
    back_up(pools, "home", HERE)
    pools.succeed("forget", "--keep-last", "1", "--prune", *pools.devices(HERE))
    checked = pools.succeed("check", "--json", "--read-data")
    assert (checked.summary["snapshots"], checked.summary["errors"]) == (4, 0)


def test_a_pool_without_any_snapshot_is_no_trouble_for_a_check(pools: Machine) -> None:
    here = pool_of(pools, "a")
    pools.succeed("forget", "--unsafe-allow-remove-all", *ids(pools, pool_id=here))
    checked = pools.succeed("check", "--json")
    assert (checked.errors, "absent" in checked.stderr) == ([], False)


def test_of_two_pools_at_one_place_the_one_that_is_there_is_restored(machine: Machine) -> None:
    source = Tree({"file": b"first"}).make(machine.folder / "data")
    of_this_week = machine.devices("a b")
    machine.succeed("backup", source, *of_this_week, "--reserve=1MiB")
    for name in "ab":
        machine.device(name).rename(machine.folder / f"{name}-elsewhere")
    machine.devices("a b")
    (source / "file").write_bytes(b"second")
    of_next_week = [f"--device={new}={machine.device(name)}" for new, name in ("ca", "db")]
    machine.succeed("backup", source, *of_next_week, "--reserve=1MiB")
    for name in "ab":
        machine.device(name).rename(machine.folder / f"{name}-of-next-week")
        (machine.folder / f"{name}-elsewhere").rename(machine.device(name))
    machine.succeed("restore", "data@latest", "--target", "out", *of_this_week)
    assert (machine.folder / "out" / "data" / "file").read_bytes() == b"first"
