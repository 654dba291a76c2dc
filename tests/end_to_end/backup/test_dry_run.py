"""A plan is shown, and nothing is stored; the configuration file says what the command line leaves out."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from kit.compare import differences
from kit.program.machine import Machine
from kit.tree import Tree, noise

SMALL = "--segment-size=256KiB"


@pytest.fixture
def source(machine: Machine) -> Path:
    path = machine.folder / "data"
    Tree({"large": noise(900_000), "small/a": b"a", "small/b": b"bb", "empty": b""}).make(path)
    return path


def test_a_plan_names_threshold_devices_and_largest_items_and_stores_nothing(machine: Machine, source: Path) -> None:
    devices = machine.devices("a b c")
    text = machine.succeed("plan", source, *devices, SMALL).stdout.decode()
    assert "threshold" in text
    assert "lower bound" in text
    assert "spread" in text
    assert "data/large" in text
    assert [list(machine.device(name).iterdir()) for name in "abc"] == [[], [], []]
    assert machine.succeed("snapshots", "--json").rows == []


def test_a_dry_run_is_the_plan_that_the_backup_then_follows(machine: Machine, source: Path) -> None:
    devices = machine.devices("a b c")
    planned = machine.succeed("backup", "-n", source, *devices, SMALL, "--json")
    assert {row["message_type"] for row in planned.rows} <= {"worker", "status", "segment", "summary"}
    done = machine.succeed("backup", source, *devices, SMALL, "--json").summary
    assert planned.summary["threshold_bytes"] == done["threshold_bytes"]
    assert len(planned.rows_of("segment")) == done["segments"]
    assert {name: device["bytes_source"] for name, device in planned.summary["devices"].items()} == {
        name: device["bytes_source"] for name, device in done["devices"].items()
    }


def test_a_plan_is_drawn_with_a_box_for_each_segment(machine: Machine, source: Path) -> None:
    picture = machine.folder / "plan.svg"
    machine.succeed("plan", source, *machine.devices("a b"), SMALL, "--svg", picture)
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    assert "data/large" in picture.read_text()


def test_a_plan_that_does_not_fit_is_refused_with_the_sum(machine: Machine, source: Path) -> None:
    refused = machine.run("plan", source, *machine.devices("a b"), "--reserve=1000TiB", "--json")
    assert refused.exit_code == 1
    (error,) = refused.errors
    assert error["code"] == "device-full"
    assert "free -" in error["message"]


def test_devices_sources_and_options_may_stand_in_the_file(machine: Machine, source: Path) -> None:
    machine.devices("a b")
    (machine.folder / "segfleet.toml").write_text(
        "[devices.a]\npath = 'devices/a'\n[devices.b]\npath = 'devices/b'\nweight = 3\n"
        "[sources.mine]\npath = 'data'\nexclude = ['small/a']\n"
        "[defaults]\nsegment-size = '64KiB'\nbalance = 'weight'\n"
    )
    done = machine.succeed("backup", "mine", "--json").summary
    assert done["volume"] == "mine"
    # Three quarters of the pieces go to the device that is three times as fast.
    assert done["devices"]["b"]["segments"] > 2 * done["devices"]["a"]["segments"]
    listed = [row["path"] for row in machine.succeed("ls", "latest", "--json").rows]
    assert listed == ["mine", "mine/empty", "mine/large", "mine/small", "mine/small/b"]


def test_a_restore_finds_its_devices_in_the_catalog(machine: Machine, source: Path) -> None:
    machine.succeed("backup", source, *machine.devices("a b"))
    target = machine.folder / "out"
    machine.succeed("restore", "latest:data/small", "--target", target)
    assert (target / "b").read_bytes() == b"bb"
    assert [row["name"] for row in machine.succeed("devices", "--json").rows_of("device")] == ["a", "b"]
    machine.succeed("check", "--read-data")


def test_a_device_whose_table_names_no_folder_is_found_where_it_was_last_seen(machine: Machine) -> None:
    source = Tree({"letter": b"dear reader"}).make(machine.folder / "home")
    (machine.folder / "segfleet.toml").write_text('[devices.a]\nmax-rate = "80MiB"\n')
    machine.succeed("backup", source, *machine.devices("a"))

    machine.succeed("restore", "latest", "--target", machine.folder / "back")

    assert differences(source, machine.folder / "back" / "home") == []
