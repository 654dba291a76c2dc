"""With --parity 2 any two devices may be lost, before a restore or in the middle of it, and bits may rot on two."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.command import Done
from kit.program.halting.halt_at import HaltAt
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.proof import bring_back, read_all
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")
TREE = Tree({"large": noise(900_000), **{f"d/{n}": noise(40_000, seed=n) for n in range(20)}})


@pytest.fixture(scope="module")
def pool() -> Iterator[Machine]:
    """Two snapshots on a, b, c and d, the second of a file more."""
    with new_machine() as made:
        source = TREE.make(made.folder / "data")
        first = back_up(made)
        (source / "new").write_bytes(noise(300_000, seed=99))
        second = back_up(made)
        for done in (first, second):
            assert done.summary["parity_missing"] == 0
            assert done.summary["parity_made"] > 0
        yield made


def back_up(machine: Machine) -> Done:
    done = machine.run("backup", "data", *machine.devices("a b c d"), *SMALL, "--json", "--parity=2")
    assert done.exit_code == 0, done
    return done


def restored(machine: Machine, devices: str, target: Path) -> Done:
    shutil.rmtree(target, ignore_errors=True)
    return machine.run("restore", "latest", "--target", target, *machine.devices(devices), "--json")


def is_whole(machine: Machine, done: Done, target: Path) -> bool:
    assert (done.exit_code, done.errors) == (0, [])
    return differences(machine.folder / "data", target / "data") == []


def test_everything_comes_back_from_two_devices(pool: Machine, tmp_path: Path) -> None:
    """From any two: tests/unit/producer/pool/test_parity_in_process.py."""
    assert is_whole(pool, restored(pool, "a c", tmp_path / "back"), tmp_path / "back")

    dump = pool.succeed("dump", "latest", "data/large", *pool.devices("b d"))
    assert dump.stdout == (pool.folder / "data" / "large").read_bytes()


def test_from_one_device_exactly_the_files_that_are_named_are_missing(pool: Machine, tmp_path: Path) -> None:
    done = restored(pool, "a", tmp_path / "back")

    named = {error["path"] for error in done.errors if error["path"]}
    files = {str(path.relative_to(pool.folder)) for path in (pool.folder / "data").rglob("*") if path.is_file()}
    assert done.exit_code == 3
    assert named
    assert {path for path in files if not (tmp_path / "back" / path).exists()} == named


def test_nothing_is_at_risk_and_what_is_damaged_on_two_devices_is_repaired(pool: Machine, tmp_path: Path) -> None:
    rows = pool.succeed("devices", "--at-risk", "--json").rows_of("device")
    assert {row["at_risk"]["snapshots"] for row in rows} == {0}
    for path in [*pool.segments_on("a"), *pool.device("b").rglob("*.par")]:
        data = path.read_bytes()
        at = len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])

    assert is_whole(pool, restored(pool, "a b c d", tmp_path / "back"), tmp_path / "back")
    found = pool.run("check", "--read-data", "--json")
    assert (found.exit_code, found.summary["snapshots_damaged"]) == (3, [])
    pool.succeed("repair")
    read_all(pool)


def test_a_device_that_goes_away_in_the_middle_of_a_restore_costs_nothing(pool: Machine, tmp_path: Path) -> None:
    pool.limit("a b c d", "200KiB")
    target, away = tmp_path / "back", pool.folder / "away"
    try:
        running = pool.start("restore", "latest", "--target", target, "--json")
        eventually(lambda: target.is_dir() and any(target.rglob("*")), "the restore has begun")
        pool.device("b").rename(away)
        done = running.wait()
    finally:
        (pool.folder / "segfleet.toml").unlink()
        away.rename(pool.device("b"))

    assert is_whole(pool, done, target)


def answers(machine: Machine) -> list[bytes]:
    """What is said of the protection of snapshots, on which devices, and of what parity takes."""
    lists = [machine.succeed(*words.split()).stdout for words in ("snapshots --json", "stats --json")]
    rows = machine.succeed("devices", "--json").rows_of("device")
    return [*lists, *(json.dumps([row["name"], row["state"], row["unprotected"]]).encode() for row in rows)]


def test_after_a_rebuild_two_devices_suffice_too(pool: Machine) -> None:
    before = answers(pool)
    shutil.rmtree(pool.state)
    pool.succeed("rebuild", *pool.devices("a b c d"))

    assert answers(pool) == before
    assert differences(pool.folder / "data", bring_back(pool, "rebuilt", "a c") / "data") == []


def test_a_backup_that_is_killed_while_it_writes_parity_is_completed_by_the_next() -> None:
    """It stands still where the first row is on its device, and not in the catalog."""
    with new_machine() as made:
        TREE.make(made.folder / "data")
        halt = HaltAt(made.folder / "halt", "producer.catalog.tables.parity:Parity.set_row")
        running = made.start("backup", "data", *made.devices("a b c d"), *SMALL, "--parity=2", **halt.settings)
        halt.wait()
        running.signal(signal.SIGKILL)
        running.wait()

        done = back_up(made)

        assert done.summary["parity_missing"] == 0
        assert differences(made.folder / "data", bring_back(made, "back", "b d") / "data") == []
        read_all(made)
