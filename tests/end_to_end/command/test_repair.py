"""A device gets what it lacks: by the next backup that reaches it, or by a repair."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.program.json_lines import follow_their_schema
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.proof import bring_back, read_all
from kit.tree import Tree, noise

OPTIONS = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")


@pytest.fixture
def away() -> Iterator[Machine]:
    """Devices a and b; the second snapshot was sealed while b was away, and now b is back."""
    with new_machine() as made:
        source = Tree({f"{n}": noise(100_000, seed=n) for n in range(6)}).make(made.folder / "data")
        made.succeed("backup", source, *made.devices("a b"), *OPTIONS)
        made.device("b").rename(made.folder / "away")
        (source / "new").write_bytes(b"new")
        made.run("backup", source, *made.devices("a b"), *OPTIONS)
        made.device("b").rmdir()
        (made.folder / "away").rename(made.device("b"))
        yield made


def manifest_files(machine: Machine, device: str, pattern: str = "*.manifest") -> set[str]:
    return {path.name for path in machine.device(device).glob(f"manifests/{pattern}")}


def parts_and_heads(machine: Machine, device: str) -> dict[str, bytes]:
    folder: Path = machine.device(device) / "manifests"
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".part", ".manifest")}


def test_a_repair_copies_the_manifests_that_a_device_lacks(away: Machine) -> None:
    assert len(manifest_files(away, "b")) == 1

    repaired = away.succeed("repair", *away.devices("a b"), "--json")
    follow_their_schema("repair", repaired.rows)
    first = repaired.summary
    again = away.succeed("repair", *away.devices("a b"), "--json").summary

    assert (first["manifests_completed"], first["objects_damaged"], first["errors"]) == (1, 0, 0)
    assert again["manifests_completed"] == 0
    assert parts_and_heads(away, "b") == parts_and_heads(away, "a")


def test_the_next_backup_brings_a_device_up_to_date_that_was_away(away: Machine) -> None:
    away.succeed("backup", "data", *away.devices("a b"), *OPTIONS)

    assert manifest_files(away, "b") == manifest_files(away, "a")
    assert len(manifest_files(away, "b")) == 3


def test_a_device_that_joins_gets_old_manifests_by_a_repair_alone(away: Machine) -> None:
    away.succeed("backup", "data", *away.devices("a b c"), *OPTIONS)
    before = manifest_files(away, "c")

    away.succeed("repair", *away.devices("a b c"))

    assert len(before) == 1
    assert manifest_files(away, "c") == manifest_files(away, "a")


def test_what_is_gone_is_stored_again_from_the_sources_of_all_volumes_once_they_are_there(away: Machine) -> None:
    other = Tree({f"{n}": noise(50_000, seed=50 + n) for n in range(6)}).make(away.folder / "other" / "data")
    away.succeed("backup", other, *away.devices("a b"), *OPTIONS, "--volume=other")
    gone = away.segments_on("b")
    for path in gone:
        path.unlink()
    for name in ("data", "other"):
        (away.folder / name).rename(away.folder / f"no-{name}")

    without = away.run("repair", *away.devices("a b"), "--json")
    damaged, lists = away.succeed("snapshots", "--json").rows, away.succeed("ls", "data@latest")
    for name in ("data", "other"):
        (away.folder / f"no-{name}").rename(away.folder / name)
    repaired = away.succeed("repair", *away.devices("a b"), "--json")
    healed = away.succeed("snapshots", "--json").rows

    assert without.exit_code == 3
    assert without.summary["objects_damaged"] == len(gone) > 0
    assert {lack["device"] for row in damaged for lack in row["incomplete"] if lack["damaged"]} == {"b"}
    assert "incomplete (device b, damaged)" in lists.stderr
    follow_their_schema("repair", repaired.rows)
    assert (repaired.summary["objects_damaged"], repaired.summary["errors"]) == (0, 0)
    assert repaired.summary["files_healed"] > 0
    assert not any(lack["damaged"] for row in healed for lack in row["incomplete"])
    for volume in ("data", "other"):
        bring_back(away, f"back/{volume}", snapshot=f"{volume}@latest")
    assert (away.folder / "back/other/data/3").read_bytes() == (other / "3").read_bytes()


def test_a_manifest_that_is_damaged_where_it_should_be_copied_from_is_named(away: Machine) -> None:
    for path in away.device("a").glob("manifests/*.part"):
        path.write_bytes(b"torn")

    repair = away.run("repair", *away.devices("a b"), "--json")

    assert repair.exit_code == 3
    assert any("damaged on device a" in error["message"] for error in repair.errors)


def test_objects_of_which_there_is_a_copy_are_copied_back(away: Machine) -> None:
    away.succeed("backup", "data", *away.devices("a b"), *OPTIONS, "--copies=2")
    before = {path.name: path.read_bytes() for path in away.segments_on("b")}
    torn, *gone = away.segments_on("b")
    for path in gone:
        path.unlink()
    torn.write_bytes(b"torn")

    repair = away.succeed("repair", *away.devices("a b"), "--json").summary

    assert (repair["objects_copied"], repair["objects_damaged"]) == (len(before), 0)
    assert {path.name: path.read_bytes() for path in away.segments_on("b")} == before
    read_all(away)
