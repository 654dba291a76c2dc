"""The catalog is lost, or an old one: it comes back from the devices, and everything works as before."""

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
from kit.program.json_lines import follow_their_schema
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.proof import bring_back, read_all
from kit.tree import Symlink, Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")

TREE = Tree(
    {
        "large": noise(600_000),
        "folder/one": noise(5_000, seed=1),
        "folder/deep/two": noise(5_000, seed=2),
        "folder/link": Symlink("one"),
        b"not utf-8 \xff": b"1",
    }
)


@pytest.fixture(scope="module")
def pool() -> Iterator[Machine]:
    """Three snapshots of two volumes on a and b, the oldest pinned and tagged anew; the source is that of the last."""
    with new_machine() as made:
        data, other = TREE.make(made.folder / "data"), Tree({"1": b"1"}).make(made.folder / "other")
        made.succeed("backup", data, *made.devices("a b"), *SMALL, "--tag=first")
        made.succeed("backup", other, *made.devices("a b"))
        # The next backup brings these to the devices.
        made.succeed("tag", "data@latest", "--add=kept", "--remove=first")
        made.succeed("pin", "data@latest")
        (data / "new").write_bytes(noise(300_000, seed=3))
        made.succeed("backup", data, *made.devices("a b"), *SMALL)
        yield made


@pytest.fixture
def lost(pool: Machine, tmp_path: Path) -> Iterator[Machine]:
    """The same devices and sources, on a machine without a state folder; each test gets copies."""
    with new_machine() as made:
        for name in ("devices", "data", "other"):
            shutil.copytree(pool.folder / name, made.folder / name, symlinks=True)
        yield made


def answers(machine: Machine) -> list[bytes]:
    """What the catalog says of the snapshots."""
    questions = (
        ("snapshots", "--json"),
        ("ls", "data@latest", "--json"),
        ("ls", "data@latest~1", "--json"),
        ("ls", "other@latest", "--json"),
        ("diff", "data@latest~1", "data@latest", "--json"),
    )
    return [machine.succeed(*question).stdout for question in questions]


@pytest.fixture(scope="module")
def told(pool: Machine) -> list[bytes]:
    """What the catalog said before it was lost."""
    return answers(pool)


def rebuild(machine: Machine, devices: str = "a b", exit_code: int = 0) -> Done:
    done = machine.run("rebuild", *machine.devices(devices), "--json")
    assert done.exit_code == exit_code, done
    follow_their_schema("rebuild", done.rows)
    return done


def test_a_rebuilt_catalog_answers_as_the_lost_one_did(told: list[bytes], lost: Machine) -> None:
    done = rebuild(lost)

    assert (done.summary["snapshots"], done.summary["volumes"], done.summary["errors"]) == (3, 2, 0)
    assert answers(lost) == told
    again = rebuild(lost)
    assert (again.summary["snapshots"], again.summary["snapshots_known"]) == (0, 3)


def test_a_rebuild_that_was_killed_is_run_again(told: list[bytes], lost: Machine, tmp_path: Path) -> None:
    """It stands still once the snapshots are in the catalog: a pin that was lost then would not protect any more."""
    halt = HaltAt(tmp_path / "halt", "producer.rebuild.rebuild:_Rebuild._keep_what_is_left")
    running = lost.start("rebuild", *lost.devices("a b"), **halt.settings)
    halt.wait()
    running.signal(signal.SIGKILL)
    running.wait()

    rebuild(lost)

    assert answers(lost) == told


def test_everything_works_after_a_rebuild(lost: Machine) -> None:
    rebuild(lost)

    back = bring_back(lost, "back", snapshot="data@latest")
    assert differences(lost.folder / "data", back / "data") == []
    lost.succeed("check")
    (lost.folder / "data" / "newer").write_bytes(b"newer")
    backup = lost.succeed("backup", "data", *lost.devices("a b"), *SMALL, "--ignore-ctime", "--ignore-inode", "--json")
    assert backup.summary["parent_id"]
    assert backup.summary["files_new"] == 1


def test_without_one_of_the_devices_all_snapshots_come_back_and_say_what_they_lack(lost: Machine) -> None:
    done = rebuild(lost, "b")

    assert done.summary["snapshots"] == 3
    assert [row["state"] for row in lost.succeed("devices", "--json").rows_of("device")] == ["live"]
    restore = lost.run("restore", "data@latest", "--target", lost.folder / "back", *lost.devices("b"))
    assert restore.exit_code == 3


def test_heads_and_parts_that_are_damaged_on_one_device_are_read_from_another(told: list[bytes], lost: Machine) -> None:
    for torn in (*lost.device("a").glob("manifests/*.manifest"), *lost.device("b").glob("manifests/*.part")):
        torn.write_bytes(b"torn")

    done = rebuild(lost, exit_code=3)

    assert done.summary["errors"] == 3
    assert "device a: head of" in done.errors[0]["message"]
    assert answers(lost) == told


def test_a_snapshot_whose_tree_is_lost_everywhere_is_named_and_the_others_come_back(lost: Machine) -> None:
    snapshot_id = min(lost.device("a").glob("manifests/*.manifest"), key=lambda path: path.stat().st_mtime_ns).stem
    for part in lost.folder.glob(f"devices/*/manifests/{snapshot_id}.*.part"):
        part.write_bytes(b"torn")

    done = rebuild(lost, exit_code=3)

    assert any(snapshot_id[:8] in error["message"] for error in done.errors)
    assert "other" in {row["volume"] for row in lost.succeed("snapshots", "--json").rows}


def test_an_index_that_is_damaged_everywhere_is_made_again_of_the_headers(told: list[bytes], lost: Machine) -> None:
    broken = [
        lost.device(name) / "manifests" / part["name"]
        for name in "ab"
        for head in lost.device(name).glob("manifests/*.manifest")
        for part in json.loads(head.read_bytes())["parts"]
        if part["kind"] == "index"
    ]
    for path in broken:
        path.write_bytes(b"torn")

    done = rebuild(lost, exit_code=3)

    assert broken
    assert done.summary["segments"] == len(lost.segments_on())
    assert not any("needs" in error["message"] for error in done.errors)
    assert answers(lost) == told
    back = bring_back(lost, "back", snapshot="data@latest")
    assert differences(lost.folder / "data", back / "data") == []


def test_snapshots_that_are_found_take_their_place_before_those_that_are_known(lost: Machine) -> None:
    lost.succeed("backup", "data", *lost.devices("a b"), *SMALL)
    newest = lost.succeed("snapshots", "data", "--json").rows[-1]["snapshot_id"]

    rebuild(lost)

    ids = [row["snapshot_id"] for row in lost.succeed("snapshots", "data", "--json").rows]
    assert len(ids) == 3
    assert ids[-1] == newest


def test_bad_input(lost: Machine) -> None:
    stranger = new_folder(lost, "stranger")
    (stranger / "file").write_bytes(b"")
    copy = shutil.copytree(lost.device("a"), lost.folder / "copy")
    lost.succeed("backup", "other", f"--device=x={new_folder(lost, 'x')}")

    nothing = lost.run("rebuild")
    foreign = lost.run("rebuild", f"--device=s={stranger}")
    twice = lost.run("rebuild", *lost.devices("a"), f"--device=c={copy}")
    two_pools = lost.run("rebuild", *lost.devices("a"), f"--device=x={lost.folder / 'x'}")

    assert (nothing.exit_code, "name the devices" in nothing.stderr) == (2, True)
    assert (foreign.exit_code, "no device is available" in foreign.stderr) == (10, True)
    assert (twice.exit_code, "one is a copy of the other" in twice.stderr) == (2, True)
    assert (two_pools.exit_code, "different pools" in two_pools.stderr) == (10, True)


def new_folder(machine: Machine, name: str) -> Path:
    folder = machine.folder / name
    folder.mkdir()
    return folder


def test_an_old_copy_of_the_state_folder_is_noticed_and_brought_up_to_date(lost: Machine) -> None:
    rebuild(lost)
    old = shutil.copytree(lost.state, lost.folder / "old", ignore=shutil.ignore_patterns("*.sock", "broker"))
    lost.succeed("backup", "other", *lost.devices("a b"), "--force")
    newest = lost.succeed("snapshots", "other", "--json").rows[-1]["snapshot_id"]
    shutil.rmtree(lost.state)
    old.rename(lost.state)

    before = lost.succeed("backup", "data", *lost.devices("a b"), *SMALL).stderr
    check = lost.run("check")
    rebuild(lost)
    after = lost.succeed("backup", "data", *lost.devices("a b"), *SMALL).stderr

    assert "old copy" in before
    assert (check.exit_code, "segfleet rebuild" in check.stderr) == (3, True)
    assert newest in [row["snapshot_id"] for row in lost.succeed("snapshots", "other", "--json").rows]
    assert "old copy" not in after


def test_a_snapshot_that_was_forgotten_does_not_come_back(lost: Machine) -> None:
    rebuild(lost)
    lost.succeed("forget", "other@latest", "--unsafe-allow-remove-all")
    # Brings a tombstone to both devices.
    lost.succeed("backup", "data", *lost.devices("a b"), *SMALL, "--ignore-ctime", "--ignore-inode")
    (tombstone,) = lost.device("a").glob("manifests/*.forgotten")
    tombstone.unlink()
    shutil.rmtree(lost.state)

    rebuild(lost)

    assert {row["volume"] for row in lost.succeed("snapshots", "--json").rows} == {"data"}


def test_several_pools_are_rebuilt_one_by_one_into_one_catalog(lost: Machine) -> None:
    lost.succeed("backup", "other", *lost.devices("c"), "--volume=third")
    shutil.rmtree(lost.state)

    rebuild(lost)
    rebuild(lost, "c")

    assert {row["volume"] for row in lost.succeed("snapshots", "--json").rows} == {"data", "other", "third"}
    for volume, source, devices in (("data", "data", "a b"), ("other", "other", "a b"), ("third", "other", "c")):
        back = bring_back(lost, f"{volume} again", devices, snapshot=f"{volume}@latest")
        assert differences(lost.folder / source, back / source) == []


def test_a_state_folder_that_is_deleted_in_the_middle_of_a_backup_is_rebuilt(lost: Machine) -> None:
    rebuild(lost)
    known = lost.succeed("snapshots", "--json").rows[::-1]
    (lost.folder / "data" / "newest").write_bytes(noise(900_000, seed=4))
    stored = len(lost.segments_on())
    lost.limit("a b", "100KiB")
    running = lost.start("backup", "data", *SMALL, "--json")
    eventually(lambda: len(lost.segments_on()) > stored, "something is stored")
    shutil.rmtree(lost.state)
    done = running.wait()
    assert (done.exit_code, "was deleted or replaced" in done.stderr, "segfleet rebuild" in done.stderr) == (
        1,
        True,
        True,
    )
    (lost.folder / "segfleet.toml").unlink()

    rebuild(lost)
    added, *after = reversed(lost.succeed("snapshots", "--json").rows)

    # What the backup had stored has no manifest.
    assert added["volume"].startswith("recovered-")
    assert after == known
    lost.succeed("backup", "data", *lost.devices("a b"), *SMALL)
    read_all(lost)
    back = bring_back(lost, "back", "a b", snapshot="data@latest")
    assert differences(lost.folder / "data", back / "data") == []
