"""What a backup could not read is named by a restore, and is never given out as zeros."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import look_at
from kit.program.command import Done
from kit.program.machine import machine as new_machine
from kit.program.scene import MIB, Scene
from kit.tree import Entries, Folder, HardLink, noise

LARGE = noise(5 * MIB // 2)

ENTRIES: Entries = {
    "empty": Folder(),
    "going/large": LARGE,
    "going/small": b"never read",
    "staying/cut": b"as planned",
    "staying/kept": b"kept",
    "staying/kept too": HardLink("staying/kept"),
    "staying/large too": HardLink("going/large"),
    "staying/small too": HardLink("going/small"),
}

NOT_STORED = {"data/going/large", "data/going/small", "data/staying/large too", "data/staying/small too"}


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """A finished backup: when a piece of ``large`` was stored, folder ``going`` went away, and ``cut`` shrank."""
    with new_machine() as machine:
        made = Scene(machine, "a", entries=ENTRIES, rate="256KiB")
        running = made.start()
        # The files in it stay as they are: a large file that changed would be stored anew.
        (made.source / "going").rename(machine.folder / "gone")
        (made.source / "staying/cut").write_bytes(b"as")
        assert made.finish(running).exit_code == 3
        made.limit(None)
        yield made


def restore(scene: Scene, target: str, *options: str) -> tuple[Done, Path]:
    done = scene.machine.run("restore", "latest", "--target", target, *options, "--json")
    return done, scene.machine.folder / target / "data"


def not_stored(done: Done) -> dict[str, list[tuple[int, int]]]:
    """Path → the ranges that errors name."""
    found: dict[str, list[tuple[int, int]]] = {}
    for error in done.errors:
        assert error["code"] == "not-stored"
        first, stop = error["message"].partition(":")[0].removeprefix("bytes ").split(" to ")
        found.setdefault(error["path"], []).append((int(first), int(stop)))
    return found


def test_a_restore_names_every_file_that_was_never_stored_and_brings_back_the_rest(scene: Scene) -> None:
    done, out = restore(scene, "out")

    assert done.exit_code == done.summary["exit_code"] == 3
    assert not_stored(done).keys() == NOT_STORED
    assert not_stored(done)["data/going/small"] == [(0, 10)]
    assert all("the backup could not read" in error["message"] for error in done.errors)
    kept = {b"staying/cut", b"staying/kept", b"staying/kept too"}
    assert look_at(out).keys() == {b".", b"empty", b"going", b"staying"} | kept
    assert (out / "staying/cut").read_bytes() == b"as"
    assert (out / "staying/kept").read_bytes() == b"kept"


def test_with_skip_damaged_a_large_file_lacks_only_the_ranges_that_were_not_read(scene: Scene) -> None:
    done, out = restore(scene, "with holes", "--skip-damaged")

    assert done.exit_code == 3
    assert not_stored(done).keys() == NOT_STORED
    expected = bytearray(LARGE)
    for first, stop in not_stored(done)["data/going/large"]:
        expected[first:stop] = bytes(stop - first)
    assert any(expected)
    assert (out / "going/large").read_bytes() == (out / "staying/large too").read_bytes() == expected
    note = (out / "going/large.segfleet-missing").read_text()
    assert all(f"bytes {first} to {stop}: " in note for first, stop in not_stored(done)["data/going/large"])
    assert not (out / "going/small").exists()


def test_what_is_there_already_is_not_taken_for_what_was_never_stored(scene: Scene) -> None:
    _, out = restore(scene, "older")
    (out / "going/small").write_bytes(b"older")

    done, _ = restore(scene, "older", "--overwrite=always")

    assert not_stored(done).keys() == NOT_STORED
    assert (out / "going/small").read_bytes() == b"older"
    assert not (out / "staying/small too").exists()


def test_a_restore_of_other_files_only_is_whole(scene: Scene) -> None:
    done = scene.machine.succeed("restore", "latest:data/staying/kept", "--target", "one", "--json")

    assert done.errors == []


@pytest.mark.parametrize("path", ["data/going/large", "data/staying/small too"])
def test_a_dump_of_what_was_not_read_fails_and_writes_nothing(scene: Scene, path: str) -> None:
    done = scene.machine.run("dump", "latest", path)

    assert (done.exit_code, done.stdout) == (1, b"")
    assert f"'{path}' is not whole" in done.stderr
    assert "No such file or directory" in done.stderr


@pytest.mark.parametrize("path", ["data/staying/kept", "data/staying/kept too"])
def test_a_dump_of_another_file_is_whole(scene: Scene, path: str) -> None:
    assert scene.machine.succeed("dump", "latest", path).stdout == b"kept"


def test_a_dump_of_a_file_that_shrank_has_its_real_size(scene: Scene) -> None:
    assert scene.machine.succeed("dump", "latest", "data/staying/cut").stdout == b"as"


def test_an_archive_names_every_file_that_was_never_stored_and_holds_the_rest(scene: Scene) -> None:
    done = scene.machine.run("dump", "latest", "/")

    assert done.exit_code == 3
    lines = done.stderr.splitlines()
    named = {line.split(": ")[1] for line in lines if ": not in the archive: not in the backup: " in line}
    assert named == NOT_STORED
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive if not member.isdir()}
        content = {name: file.read() for name, file in files.items() if file is not None}
    assert content == {"data/staying/cut": b"as", "data/staying/kept": b"kept", "data/staying/kept too": b"kept"}
