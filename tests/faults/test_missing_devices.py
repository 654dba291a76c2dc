"""Restoring while a device is away or damaged: everything else comes back, and what does not is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.program.command import Done
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.scene import Scene

NOTE = ".segfleet-missing"


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """A finished backup on a, b and c; c is away."""
    with new_machine() as machine:
        made = Scene(machine, rate="100MiB")
        machine.succeed(*made.command())
        made.folder("c").rename(machine.folder / "c is away")
        yield made


def restore(scene: Scene, target: str, *options: str) -> Done:
    flags = [f"--device={name}={scene.folder(name)}" for name in scene.names]
    return scene.machine.run("restore", "latest", "--target", target, *options, *flags, "--json")


def ranges_told(done: Done, scene: Scene) -> dict[str, list[tuple[int, int]]]:
    """Path below the source → the ranges that errors name, in order."""
    found: dict[str, list[tuple[int, int]]] = {}
    for row in done.errors:
        if row["message"].startswith("bytes "):
            first, stop = row["message"].partition(":")[0].removeprefix("bytes ").split(" to ")
            path = row["path"].removeprefix(f"{scene.source.name}/")
            found.setdefault(path, []).append((int(first), int(stop)))
    return {path: sorted(ranges) for path, ranges in found.items()}


def same(scene: Scene, out: Path, path: str) -> bool:
    return (scene.source / path).read_bytes() == (out / path).read_bytes()


def all_files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_every_file_that_does_not_need_the_device_comes_back_and_the_others_are_named(scene: Scene) -> None:
    done = restore(scene, "without c")
    out = scene.machine.folder / "without c" / scene.source.name

    assert done.exit_code == 3
    lost = ranges_told(done, scene)
    assert lost
    assert all_files(out) == all_files(scene.source) - lost.keys()
    assert [path for path in all_files(out) if not same(scene, out, path)] == []


def test_with_skip_damaged_a_large_file_comes_back_with_holes_and_a_note(scene: Scene) -> None:
    done = restore(scene, "with holes", "--skip-damaged")
    out = scene.machine.folder / "with holes" / scene.source.name

    assert done.exit_code == 3
    lost = ranges_told(done, scene)
    for path in ("large", "larger"):
        expected = bytearray((scene.source / path).read_bytes())
        for first, stop in lost[path]:
            expected[first:stop] = bytes(stop - first)
        assert (out / path).read_bytes() == expected
        note = (out / f"{path}{NOTE}").read_text()
        assert all(f"bytes {first} to {stop}: it lies on device c" in note for first, stop in lost[path])
    # Small files come back whole or not at all.
    small = {path for path in all_files(scene.source) if path.startswith("small/")}
    assert {path for path in all_files(out) if path.startswith("small/")} == small - lost.keys()


def test_a_damaged_unit_of_a_large_file_takes_the_file_away_or_leaves_a_hole(machine: Machine) -> None:
    scene = Scene(machine, "a b", rate="100MiB")
    machine.succeed(*scene.command())
    piece = max(machine.segments_on("a"), key=lambda path: path.stat().st_size)
    with piece.open("r+b") as file:
        file.seek(piece.stat().st_size // 2)
        file.write(b"\xff" * 64)

    strict = restore(scene, "strict")
    kept = restore(scene, "kept", "--skip-damaged")

    assert (strict.exit_code, kept.exit_code) == (3, 3)
    (path,) = ranges_told(strict, scene)
    assert ranges_told(kept, scene).keys() == {path}
    assert not (machine.folder / "strict" / "data" / path).exists()
    found, expected = (machine.folder / "kept" / "data" / path).read_bytes(), (scene.source / path).read_bytes()
    ((first, stop),) = ranges_told(kept, scene)[path]
    assert found == expected[:first] + bytes(stop - first) + expected[stop:]
    assert f"bytes {first} to {stop}" in (machine.folder / "kept" / "data" / f"{path}{NOTE}").read_text()
