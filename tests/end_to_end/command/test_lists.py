"""The commands that show what there is."""

from __future__ import annotations

import pytest

from kit.compare import differences, look_at
from kit.program.machine import Machine
from kit.tree import File, Folder, HardLink, Symlink, Tree, noise


@pytest.fixture(scope="module")
def twice(shared_machine: Machine) -> Machine:
    """The shared machine, with two snapshots of a tree that changed in between."""
    source = shared_machine.folder / "data"
    Tree(
        {
            "stays": File(b"same", mode=0o640),
            "changes": b"old",
            "goes": b"1",
            "mode": b"2",
            "kind": b"3",
            "folder/deep": b"4",
            "linked": HardLink("stays"),
            "link": Symlink("stays"),
        }
    ).make(source)
    devices = shared_machine.devices("a b")
    shared_machine.succeed("backup", source, *devices, "--tag=first")
    (source / "changes").write_bytes(b"new and longer")
    (source / "goes").unlink()
    (source / "mode").chmod(0o600)
    (source / "kind").unlink()
    (source / "kind").symlink_to("stays")
    (source / "comes").write_bytes(b"5")
    shared_machine.succeed("backup", source, *devices, "--volume=data")
    return shared_machine


def ids(machine: Machine) -> list[str]:
    return [row["snapshot_id"][:8] for row in machine.succeed("snapshots", "--json").rows]


def test_snapshots_lists_the_oldest_first(twice: Machine) -> None:
    rows = twice.succeed("snapshots", "--json").rows

    assert [row["tags"] for row in rows] == [["first"], []]
    assert [row["volume"] for row in rows] == ["data", "data"]
    # Whole seconds: a quick machine seals one and starts the next within the same.
    assert rows[0]["started"] <= rows[0]["sealed"] <= rows[1]["started"]
    assert twice.succeed("snapshots").stdout.count(b"\n") == 3


def test_ls_lists_a_folder_and_what_is_directly_in_it(twice: Machine) -> None:
    assert twice.succeed("ls", "latest", "data/folder").stdout.splitlines() == [b"data/folder", b"data/folder/deep"]


def test_ls_long_shows_modes_sizes_and_where_links_lead(twice: Machine) -> None:
    lines = twice.succeed("ls", "-l", "latest").stdout.decode().splitlines()

    assert any(line.startswith("-rw-r-----") and line.endswith(" data/stays -> data/linked") for line in lines)
    assert any(line.startswith("lrwxrwxrwx") and line.endswith(" data/link -> stays") for line in lines)
    assert any(line.startswith("drwxr-xr-x") and line.endswith(" data/folder") for line in lines)


def test_find_names_every_snapshot_that_holds_a_file(twice: Machine) -> None:
    first, second = ids(twice)

    assert twice.succeed("find", "goes").stdout.decode().split() == [f"{first}:data/goes"]
    assert twice.succeed("find", "*ee?").stdout.decode().split() == [
        f"{first}:data/folder/deep",
        f"{second}:data/folder/deep",
    ]
    assert twice.succeed("find", "comes", "--snapshot", first).stdout == b""


def test_what_find_prints_is_what_restore_takes(twice: Machine) -> None:
    found = twice.succeed("find", "goes").stdout.decode().strip()

    twice.succeed("restore", found, "--target", "found")

    assert (twice.folder / "found" / "goes").read_bytes() == b"1"


def test_diff_names_what_changed_between_two_snapshots(twice: Machine) -> None:
    first, second = ids(twice)

    lines = twice.succeed("diff", first, second).stdout.decode().splitlines()

    assert sorted(line.split() for line in lines) == [
        ["+", "data/comes"], ["-", "data/goes"], ["M", "data/changes"], ["T", "data/kind"]
    ]  # fmt: skip
    assert b"U    data/mode" in twice.succeed("diff", "--metadata", first, second).stdout
    assert twice.succeed("diff", second, second).stdout == b""


def test_devices_shows_state_and_room(twice: Machine) -> None:
    lines = twice.succeed("devices").stdout.decode().splitlines()

    assert [line.split()[:2] for line in lines[1:]] == [["a", "live"], ["b", "live"]]


@pytest.mark.parametrize("command", [["backup", "--dry-run"], ["plan"]], ids=["dry run", "plan"])
def test_a_plan_stores_nothing(machine: Machine, command: list[str]) -> None:
    source = Tree({"large": noise(900_000), "small": b"1", "empty": Folder()}).make(machine.folder / "data")
    devices = machine.devices("a b")
    before = look_at(source)

    done = machine.succeed(*command, source, *devices, "--segment-size=256KiB", "--json")

    assert done.summary["bytes_source"] == 900_001
    assert done.summary["devices"].keys() == {"a", "b"}
    assert [list(machine.device(name).iterdir()) for name in "ab"] == [[], []]
    assert machine.run("snapshots", "--json").rows == []
    assert differences(before, source) == []
