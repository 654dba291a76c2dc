"""What is on the devices can be had back without segfleet, as docs/format.md says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kit.hole_map import data_in
from kit.program.machine import Machine
from kit.stored.segments import files_in, header_of
from kit.tree import SparseFile, Tree, noise

FILES: dict[str | bytes, bytes] = {
    "small": b"small",
    "folder/other": b"other" * 1000,
    "pieces": noise(900_000),
    "compressible pieces": b"0123456789abcdef" * 60_000,
    b"not utf-8 \xff": b"odd name",
}


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Machine:
    """The shared machine, with FILES and a sparse one on three devices."""
    source = Tree({**FILES, "sparse": SparseFile(700_000, {300_000: b"island"})}).make(shared_machine.folder / "data")
    options = ("--segment-size=256KiB", "--unit-size=64KiB")
    shared_machine.succeed("backup", source, *shared_machine.devices("a b c"), *options)
    return shared_machine


def test_the_segments_of_all_devices_give_back_every_byte_with_zstd_alone(stored: Machine) -> None:
    # A hole at the end is in no segment: the listing has the size.
    stop = data_in(stored.folder / "data" / "sparse")[-1][1]
    sparse = bytes(300_000) + b"island" + bytes(stop - 300_006)
    expected = {f"data/{os.fsdecode(path)}": content for path, content in FILES.items()} | {"data/sparse": sparse}

    assert files_in(stored.segments_on()) == expected


def test_no_segment_holds_more_than_the_cap_and_units_are_as_asked_for(stored: Machine) -> None:
    headers = [header_of(segment) for segment in stored.segments_on()]

    assert max(sum(header["extents"]["sizes_bytes"]) for header in headers) <= 256 * 1024
    assert {header["unit_bytes"] for header in headers} == {64 * 1024}
    assert len({header["snapshot_id"] for header in headers}) == 1
    assert all(header["ranges"] == [[0, sum(header["extents"]["sizes_bytes"])]] for header in headers)


def test_an_objects_name_is_its_id_below_its_first_two_digits_and_no_device(stored: Machine) -> None:
    for segment in stored.segments_on():
        header = header_of(segment)
        assert segment.stem == header["object_id"] != header["segment_id"]
        assert "device_id" not in header
        assert segment.parent.name == segment.stem[:2]


def test_the_marker_and_the_manifest_are_on_every_device(stored: Machine) -> None:
    markers = [json.loads((stored.device(name) / "segfleet.json").read_text()) for name in "abc"]
    manifests = [sorted(path.name for path in (stored.device(name) / "manifests").iterdir()) for name in "abc"]

    assert [marker["name"] for marker in markers] == ["a", "b", "c"]
    assert [len({marker["pool_id"] for marker in markers}), len({marker["device_id"] for marker in markers})] == [1, 3]
    assert manifests[0] == manifests[1] == manifests[2]
    assert any(name.endswith(".manifest") for name in manifests[0])


def test_nothing_else_is_left_on_a_device_and_no_temporary_file(stored: Machine) -> None:
    for name in "abc":
        folder = stored.device(name)
        assert sorted(path.name for path in folder.iterdir()) == ["manifests", "segfleet.json", "segments"]
        assert [path for path in folder.rglob("*") if path.name.endswith(".tmp")] == []


def test_commands_leave_no_temporary_files_behind(stored: Machine) -> None:
    stored.wait_until_quiet()

    assert leftovers(stored.scratch) == []


def leftovers(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
