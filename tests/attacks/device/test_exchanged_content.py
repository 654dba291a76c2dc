"""Somebody who can write to a device exchanges what is stored there for something else that is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from kit.program.command import Done
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.stored.forgery import exchange_content, flip, open_segment
from kit.stored.segments import header_of
from kit.tree import Tree, noise
from producer.listing.frames import compress_lines, decompress_lines
from producer.manifest import decode_pack, encode_packs

CONTENT = {"one": noise(70_000), "two": noise(70_000, seed=1), "bundle/a": b"a" * 100, "bundle/b": b"b" * 100}


@pytest.fixture(scope="module")
def stored() -> Iterator[Machine]:
    with new_machine() as made:
        source = Tree(CONTENT).make(made.folder / "data")
        made.succeed("backup", source, *made.devices("a"), "--unit-size=64KiB")
        made.succeed("backup", source, *made.devices("a"), "--unit-size=64KiB", "--volume=other")
        yield made


@pytest.fixture
def backed_up(stored: Machine) -> Iterator[Machine]:
    """Two snapshots on one device, which is put back as it was."""
    devices, kept = stored.folder / "devices", stored.folder / "kept"
    shutil.copytree(devices, kept)
    yield stored
    shutil.rmtree(devices)
    kept.rename(devices)
    shutil.rmtree(stored.folder / "out", ignore_errors=True)


def segments_with(machine: Machine, path: str) -> list[Path]:
    """The segment of each snapshot that holds ``path``."""
    found = [segment for segment in machine.segments_on() if path in header_of(segment)["extents"]["paths"]]
    assert len(found) == 2
    return found


def restore(machine: Machine, *options: str) -> Done:
    return machine.run("restore", "other@latest", "--target", "out", "--json", *options)


def paths_told(done: Done) -> set[str]:
    return {error["path"] for error in done.errors} - {""}


def restored(machine: Machine) -> dict[str, bytes]:
    out = machine.folder / "out" / "data"
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_whole_segment_of_the_same_name_and_size_is_not_taken_for_the_one_that_was_stored(backed_up: Machine) -> None:
    for segment in segments_with(backed_up, "one"):
        exchange_content(segment)
        assert open_segment(segment).damage == ()

    for options in ((), ("--read-data",)):
        done = backed_up.run("check", *options, "--json")
        assert (done.exit_code, paths_told(done)) == (3, {"data/one"})
    done = restore(backed_up)
    assert (done.exit_code, paths_told(done)) == (3, {"data/one"})
    assert restored(backed_up) == {path: content for path, content in CONTENT.items() if path != "one"}
    assert backed_up.run("dump", "other@latest", "data/one").exit_code != 0


def test_the_segment_of_another_file_is_refused_however_its_header_is_damaged(backed_up: Machine) -> None:
    for one, two in zip(segments_with(backed_up, "one"), segments_with(backed_up, "two"), strict=True):
        shutil.copyfile(two, one)
        flip(one, 100)

    done = restore(backed_up)

    assert (done.exit_code, paths_told(done)) == (3, {"data/one"})
    assert "one" not in restored(backed_up)


def test_a_damaged_header_costs_nothing_for_the_trailer_still_proves_the_data(backed_up: Machine) -> None:
    for segment in segments_with(backed_up, "one"):
        flip(segment, 100)

    assert restore(backed_up).exit_code == 0
    assert restored(backed_up) == CONTENT


def without_trailer(segment: Path) -> None:
    flip(segment, -100)
    assert open_segment(segment).trailer_digest is None


def test_other_content_without_the_trailer_that_would_give_it_away_is_not_restored(backed_up: Machine) -> None:
    for segment in segments_with(backed_up, "one"):
        exchange_content(segment)
        without_trailer(segment)

    done = restore(backed_up)

    assert (done.exit_code, paths_told(done)) == (3, {"data/one"})
    assert "one" not in restored(backed_up)


def test_with_skip_damaged_a_segment_without_trailer_is_restored_and_its_files_are_told(backed_up: Machine) -> None:
    for segment in segments_with(backed_up, "one"):
        without_trailer(segment)

    done = restore(backed_up, "--skip-damaged")

    assert (done.exit_code, [(error["path"], error["code"]) for error in done.errors]) == (
        3,
        [("data/one", "unproved")],
    )
    assert restored(backed_up) == CONTENT


# ---- manifests


def heads(machine: Machine) -> list[Path]:
    return sorted(machine.device("a").glob("manifests/*.manifest"))


def rewrite_head(machine: Machine, **changes: object) -> None:
    for head in heads(machine):
        head.write_text(json.dumps({**json.loads(head.read_text()), **changes}, indent=2) + "\n")


def give_a_name_that_leads_out(machine: Machine) -> None:
    """In a tree part, with a pack and a head that fit it."""
    for head in heads(machine):
        content = json.loads(head.read_text())
        part = next(part for part in content["parts"] if part["kind"] == "pack")
        path = head.with_name(part["name"])
        parts = {digest: decompress_lines(data) for digest, data in decode_pack(path.read_bytes()).items()}
        bad = {
            digest: compress_lines([line.replace(b'"one"', b'"../../../../etc/cron.d/x"') for line in lines])
            for digest, lines in parts.items()
        }
        (forged,) = encode_packs(bad.items())
        path.write_bytes(forged)
        part |= {"size_bytes": len(forged), "blake3": blake3(forged).hexdigest()}
        head.write_text(json.dumps(content, indent=2) + "\n")


def put_the_head_of_the_other_snapshot_in_its_place(machine: Machine) -> None:
    one, two = heads(machine)
    shutil.copyfile(one, two)


@pytest.mark.parametrize(
    "forge",
    [
        lambda machine: rewrite_head(machine, pool_id="f" * 32),
        lambda machine: rewrite_head(machine, volume="another"),
        give_a_name_that_leads_out,
        put_the_head_of_the_other_snapshot_in_its_place,
    ],
    ids=["another pool", "another volume", "a name that leads out", "another snapshot's head"],
)
def test_a_manifest_that_is_not_the_one_that_was_written_is_an_error(
    backed_up: Machine, forge: Callable[[Machine], None]
) -> None:
    forge(backed_up)

    done = backed_up.run("check", "--json")

    assert (done.exit_code, {error["code"] for error in done.errors}) == (3, {"manifest"})
