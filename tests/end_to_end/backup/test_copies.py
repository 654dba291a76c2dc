"""With --copies 2 any one device may be lost, and with 3 any two: everything comes back, byte for byte."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.command import Done
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.proof import bring_back, read_all
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")
TREE = Tree({"large": noise(900_000), **{f"d/{n}": noise(40_000, seed=n) for n in range(20)}})


@pytest.fixture(scope="module", params=[2, 3])
def pool(request: pytest.FixtureRequest) -> Iterator[tuple[Machine, int]]:
    """Two snapshots on a, b and c, the second of a file more; and how many copies there are."""
    with new_machine() as made:
        source = TREE.make(made.folder / "data")
        first = back_up(made, f"--copies={request.param}")
        (source / "new").write_bytes(noise(300_000, seed=99))
        second = back_up(made, f"--copies={request.param}")
        for done in (first, second):
            assert done.summary["copies_missing"] == 0
            assert done.summary["bytes_copied"] == (request.param - 1) * done.summary["bytes_stored"]
        yield made, request.param


def back_up(machine: Machine, *options: str, devices: str = "a b c", exit_code: int = 0) -> Done:
    done = machine.run("backup", "data", *machine.devices(devices), *SMALL, "--json", *options)
    assert done.exit_code == exit_code, done
    return done


#: For what three copies show no more of than two.
of_two_copies = pytest.mark.parametrize("pool", [2], indirect=True)


def restored(machine: Machine, devices: str, target: Path) -> Done:
    shutil.rmtree(target, ignore_errors=True)
    return machine.run("restore", "latest", "--target", target, *machine.devices(devices), "--json")


def test_everything_comes_back_from_any_devices_that_are_left(pool: tuple[Machine, int]) -> None:
    machine, copies = pool
    for left in itertools.combinations("abc", 4 - copies):
        back = bring_back(machine, f"from {left}", " ".join(left))

        assert differences(machine.folder / "data", back / "data") == []


def test_nothing_is_at_risk_and_the_copies_are_checked(pool: tuple[Machine, int]) -> None:
    machine, copies = pool
    rows = machine.succeed("devices", "--at-risk", "--json").rows_of("device")
    check = machine.succeed("check", "--json").summary
    read_all(machine)

    assert {row["at_risk"]["snapshots"] for row in rows} == {0}
    assert (
        check["segments"] == len(machine.segments_on()) == copies * len({path.name for path in machine.segments_on()})
    )


@of_two_copies
def test_with_one_device_less_exactly_the_files_that_lie_elsewhere_are_missing(
    pool: tuple[Machine, int], tmp_path: Path
) -> None:
    machine, _ = pool

    done = restored(machine, "a", tmp_path / "back")

    assert done.exit_code == 3
    assert {error["path"] for error in done.errors if error["path"]}


@pytest.fixture
def rotten(pool: tuple[Machine, int]) -> Iterator[Machine]:
    """A pool of which each object on device a has a flipped byte; it is mended afterwards."""
    machine, _ = pool
    kept = {path: path.read_bytes() for path in machine.segments_on("a")}
    for path, data in kept.items():
        path.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
    yield machine
    for path, data in kept.items():
        path.write_bytes(data)


@of_two_copies
def test_what_is_damaged_on_one_device_is_read_from_another(rotten: Machine, tmp_path: Path) -> None:
    done = restored(rotten, "a b c", tmp_path / "back")
    dump = rotten.succeed("dump", "latest", "data/large", *rotten.devices("a b c"))

    assert (done.exit_code, done.errors) == (0, [])
    assert differences(rotten.folder / "data", tmp_path / "back" / "data") == []
    assert dump.stdout == (rotten.folder / "data" / "large").read_bytes()


@of_two_copies
def test_a_device_that_goes_away_in_the_middle_of_a_restore_costs_nothing(
    pool: tuple[Machine, int], tmp_path: Path
) -> None:
    machine, _ = pool
    machine.limit("a b c", "200KiB")
    target, away = tmp_path / "back", machine.folder / "away"
    try:
        running = machine.start("restore", "latest", "--target", target, "--json")
        eventually(lambda: target.is_dir() and any(target.rglob("*")), "the restore has begun")
        machine.device("b").rename(away)
        done = running.wait()
    finally:
        (machine.folder / "segfleet.toml").unlink()
        away.rename(machine.device("b"))

    assert (done.exit_code, done.errors) == (0, [])
    assert differences(machine.folder / "data", target / "data") == []


def test_a_device_that_is_lost_gets_its_copies_made_elsewhere_by_the_next_backup() -> None:
    with new_machine() as machine:
        TREE.make(machine.folder / "data")
        back_up(machine, "--copies=2")
        shutil.rmtree(machine.device("b"))
        machine.succeed("devices", "lost", "b")

        done = back_up(machine, "--copies=2", devices="a c")

        assert done.summary["copies_missing"] == 0
        assert done.summary["copies_made"] > 0
        assert done.summary["files_unchanged"] == 21
        for left in "ac":
            bring_back(machine, f"from {left}", left)


def test_more_copies_than_devices_are_refused_before_anything_is_stored() -> None:
    with new_machine() as machine:
        Tree({"1": b"1"}).make(machine.folder / "data")

        done = machine.run("backup", "data", *machine.devices("a b"), "--copies=3")

        assert done.exit_code == 2
        assert "needs 3 devices" in done.stderr
        assert list(machine.device("a").iterdir()) == []
