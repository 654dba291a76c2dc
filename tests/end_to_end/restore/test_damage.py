"""Stored data that is damaged: ``check`` names it, and ``restore`` brings back everything else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.compare import look_at
from kit.program.command import Done
from kit.program.machine import Machine
from kit.stored.segments import header_of
from kit.tree import Tree, noise

#: Files of their own segments, one that lies in several, and a bundle.
SOURCE = Tree(
    {
        "pieces": noise(900_000),
        "one": noise(200_000, seed=1),
        "two": noise(200_000, seed=2),
        "bundle/a": noise(9_000, seed=3),
        "bundle/b": noise(9_000, seed=4),
        "empty": b"",
    }
)


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Machine:
    source = SOURCE.make(shared_machine.folder / "data")
    options = ("--segment-size=256KiB", "--unit-size=64KiB", "--bundle=on")
    shared_machine.succeed("backup", source, *shared_machine.devices("a b"), *options)
    return shared_machine


@pytest.fixture
def backed_up(stored: Machine) -> Iterator[Machine]:
    """The shared machine; its devices may be damaged: they are put back as they were."""
    devices, kept = stored.folder / "devices", stored.folder / "kept"
    shutil.copytree(devices, kept)
    yield stored
    shutil.rmtree(devices)
    kept.rename(devices)
    shutil.rmtree(stored.folder / "out", ignore_errors=True)


def segment_with(machine: Machine, path: str) -> Path:
    """The first stored segment that holds bytes of ``path``."""
    return next(segment for segment in machine.segments_on() if path in header_of(segment)["extents"]["paths"])


def flip_byte(segment: Path) -> None:
    """Change one byte of the data, in the middle of the file."""
    with segment.open("r+b") as file:
        file.seek(segment.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


def cut_in_half(segment: Path) -> None:
    os.truncate(segment, segment.stat().st_size // 2)


def add_bytes(segment: Path) -> None:
    with segment.open("ab") as file:
        file.write(b"more")


def put_a_pipe_in_its_place(segment: Path) -> None:
    segment.unlink()
    os.mkfifo(segment)


def put_a_symlink_in_its_place(segment: Path) -> None:
    segment.symlink_to(segment.rename(segment.with_suffix(".moved")))


def assert_named(done: Done, segment: Path, paths: set[str]) -> None:
    assert done.exit_code == 3, done
    told = [error for error in done.errors if segment.stem in error["message"] + error["path"]]
    assert told, done.errors
    text = " ".join(error["message"] + error["path"] for error in done.errors)
    assert all(path in text for path in paths), text
    assert done.summary["errors"] >= 1


@pytest.mark.parametrize("damage", [cut_in_half, Path.unlink, add_bytes], ids=["cut", "deleted", "longer"])
def test_check_finds_damaged_structure_without_reading_the_data(
    backed_up: Machine, damage: Callable[[Path], None]
) -> None:
    segment = segment_with(backed_up, "one")
    damage(segment)

    assert_named(backed_up.run("check", "--json"), segment, {"data/one"})


def test_check_read_data_finds_a_single_flipped_byte(backed_up: Machine) -> None:
    segment = segment_with(backed_up, "one")
    flip_byte(segment)

    assert_named(backed_up.run("check", "--read-data", "--json"), segment, {"data/one"})
    assert backed_up.run("check").exit_code == 0
    last_two = backed_up.succeed("history", "--json").rows[-2:]
    assert [(row["kind"], row["exit_code"]) for row in last_two] == [("check", 3), ("check", 0)]


@pytest.mark.parametrize("replace", [put_a_pipe_in_its_place, put_a_symlink_in_its_place], ids=["pipe", "symlink"])
def test_a_segment_that_cannot_be_opened_costs_no_other(backed_up: Machine, replace: Callable[[Path], None]) -> None:
    replace(segment_with(backed_up, "one"))

    for command in (("check",), ("check", "--read-data"), ("restore", "latest", "--target", "out")):
        done = backed_up.run(*command, "--json")
        assert done.exit_code == 3, done
        assert {error["code"] for error in done.errors} == {"unreadable"}
        assert {error["path"] for error in done.errors} - {""} == {"data/one"}


def test_check_names_every_file_of_a_lost_bundle(backed_up: Machine) -> None:
    segment = segment_with(backed_up, "bundle/a")
    segment.unlink()

    assert_named(backed_up.run("check", "--json"), segment, {"data/bundle/a", "data/bundle/b"})


def test_check_finds_a_damaged_and_a_missing_manifest(backed_up: Machine) -> None:
    head = next(backed_up.device("a").glob("manifests/*.manifest"))
    flip_byte(head)
    next(backed_up.device("b").glob("manifests/*.part")).unlink()

    done = backed_up.run("check", "--json")

    assert done.exit_code == 3
    assert [any(f"device {name}" in error["message"] for error in done.errors) for name in "ab"] == [True, True]


@pytest.mark.parametrize(
    ("damage", "path"),
    [(flip_byte, "pieces"), (flip_byte, "one"), (cut_in_half, "one"), (Path.unlink, "pieces")],
    ids=["flipped in pieces", "flipped", "cut", "deleted"],
)
def test_restore_brings_back_everything_else_and_lists_what_is_lost(
    backed_up: Machine, damage: Callable[[Path], None], path: str
) -> None:
    damage(segment_with(backed_up, path))

    done = backed_up.run("restore", "latest", "--target", "out", "--json")

    assert done.exit_code == 3
    assert {error["path"] for error in done.errors} == {f"data/{path}"}
    assert done.summary["errors"] == len(done.errors) > 0
    before, after = look_at(backed_up.folder / "data"), look_at(backed_up.folder / "out" / "data")
    for whole in before.keys() - {os.fsencode(path)}:
        assert after[whole] == before[whole]


def test_with_skip_damaged_what_is_lost_reads_as_zeros_whatever_was_there_before(backed_up: Machine) -> None:
    content = (backed_up.folder / "data/pieces").read_bytes()
    restored = backed_up.folder / "out/data/pieces"
    restored.parent.mkdir(parents=True)
    restored.write_bytes(b"OLD!" * (len(content) // 4 + 1000))
    flip_byte(segment_with(backed_up, "pieces"))

    options = ("--target", "out", "--overwrite", "always", "--skip-damaged", "--json")
    done = backed_up.run("restore", "latest", *options)

    assert (done.exit_code, {error["path"] for error in done.errors}) == (3, {"data/pieces"})
    (error,) = done.errors
    start, stop = map(int, re.findall(r"bytes (\d+) to (\d+)", error["message"])[0])
    assert 0 < stop - start < len(content)
    assert restored.read_bytes() == content[:start] + bytes(stop - start) + content[stop:]


def test_a_whole_lost_device_costs_only_what_lay_on_it(backed_up: Machine) -> None:
    lost = {path for segment in backed_up.segments_on("b") for path in header_of(segment)["extents"]["paths"]}
    shutil.rmtree(backed_up.device("b"))

    done = backed_up.run("restore", "latest", "--target", "out", "--json")

    assert done.exit_code == 3
    assert {error["path"] for error in done.errors} - {""} == {f"data/{path}" for path in lost}
    assert all(error["code"] == "device-absent" for error in done.errors)
    before, after = look_at(backed_up.folder / "data"), look_at(backed_up.folder / "out" / "data")
    for whole in before.keys() - {os.fsencode(path) for path in lost}:
        assert after[whole] == before[whole]


def test_a_restore_needs_no_source_and_a_device_may_be_mounted_elsewhere(backed_up: Machine) -> None:
    before = look_at(backed_up.folder / "data")
    (backed_up.folder / "data").rename(backed_up.folder / "not there")
    (backed_up.folder / "elsewhere").symlink_to(backed_up.device("b").rename(backed_up.folder / "devices" / "moved"))
    devices = [f"--device=a={backed_up.device('a')}", f"--device=b={backed_up.folder / 'elsewhere'}"]

    done = backed_up.run("restore", "latest", "--target", "out", *devices)
    (backed_up.folder / "not there").rename(backed_up.folder / "data")

    assert done.exit_code == 0
    assert look_at(backed_up.folder / "out" / "data") == before
