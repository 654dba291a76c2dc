"""What of a snapshot is restored, and what becomes of what is in the target already."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.compare import differences, look_at
from kit.program.machine import Machine
from kit.tree import File, Folder, HardLink, Symlink, Tree, noise

LARGE = noise(700_000)

SOURCE = Tree(
    {
        "readme.txt": b"read me",
        "docs/one.txt": b"one",
        "docs/two.md": b"two",
        "docs/deep/three.txt": File(b"three", mode=0o600),
        "docs/deep/empty": Folder(mode=0o700),
        "large.bin": LARGE,
        "docs/large again.bin": HardLink("large.bin"),
        "link": Symlink("docs/one.txt"),
    }
)


@pytest.fixture(scope="module")
def backed_up(shared_machine: Machine) -> Machine:
    source = SOURCE.make(shared_machine.folder / "data")
    shared_machine.succeed("backup", source, *shared_machine.devices("a b c"), "--segment-size=256KiB")
    return shared_machine


@pytest.fixture
def target(backed_up: Machine, request: pytest.FixtureRequest) -> Path:
    """A folder of the test's own, not there yet."""
    return backed_up.folder / "targets" / str(abs(hash(request.node.nodeid)))


def found_in(target: Path) -> list[str]:
    """The paths of everything in ``target`` but folders."""
    return sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_symlink() or not path.is_dir())


# ---- a part of the snapshot


def test_a_folder_of_the_snapshot_goes_directly_into_the_target(backed_up: Machine, target: Path) -> None:
    backed_up.succeed("restore", "latest:data/docs/deep", "--target", target)

    assert differences(backed_up.folder / "data" / "docs" / "deep", target) == []


def test_a_single_file_goes_directly_into_the_target(backed_up: Machine, target: Path) -> None:
    backed_up.succeed("restore", "latest:data/large.bin", "--target", target)

    assert found_in(target) == ["large.bin"]
    assert (target / "large.bin").read_bytes() == LARGE


def test_a_hard_link_comes_back_with_its_data_when_the_first_name_is_not_wanted(
    backed_up: Machine, target: Path
) -> None:
    backed_up.succeed("restore", "latest:data/docs", "--target", target)

    assert (target / "large again.bin").read_bytes() == LARGE
    assert (target / "large again.bin").stat().st_mtime_ns == (backed_up.folder / "data/large.bin").stat().st_mtime_ns


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--include=*.txt"], ["data/docs/deep/three.txt", "data/docs/one.txt", "data/readme.txt"]),
        (["--include=*.txt", "--exclude=deep/"], ["data/docs/one.txt", "data/readme.txt"]),
        (["-e", "*.bin", "-e", "docs"], ["data/link", "data/readme.txt"]),
        (["-i", "/data/docs/*.md"], ["data/docs/two.md"]),
    ],
    ids=["include", "include and exclude", "exclude", "include a path"],
)
def test_patterns_choose_what_is_restored(
    backed_up: Machine, target: Path, options: list[str], expected: list[str]
) -> None:
    backed_up.succeed("restore", "latest", "--target", target, *options)

    assert found_in(target) == expected


def test_folders_on_the_way_to_a_chosen_file_get_their_metadata(backed_up: Machine, target: Path) -> None:
    backed_up.succeed("restore", "latest", "--target", target, "-i", "three.txt")

    before, after = look_at(backed_up.folder / "data"), look_at(target / "data")
    assert {path: before[path] for path in after if before[path].kind != "d"} == {
        path: look for path, look in after.items() if look.kind != "d"
    }


# ---- a target that is not empty

OLD = File(b"mine, older", mtime_ns=1_000_000_000)


def filled_target(target: Path) -> Path:
    """A target with files in the way, and one that the snapshot does not have."""
    return Tree(
        {"data/readme.txt": OLD, "data/large.bin": OLD, "data/mine": OLD, "data/docs/one.txt": File(b"one")}
    ).make(target)


def test_overwrite_always_brings_the_snapshot_back_and_keeps_the_rest(backed_up: Machine, target: Path) -> None:
    backed_up.succeed("restore", "latest", "--target", filled_target(target), "--overwrite=always")

    assert (target / "data" / "mine").read_bytes() == b"mine, older"
    (target / "data" / "mine").unlink()
    os.utime(target / "data", ns=(0, (backed_up.folder / "data").stat().st_mtime_ns))
    assert differences(backed_up.folder / "data", target / "data") == []


def test_overwrite_never_leaves_what_is_there(backed_up: Machine, target: Path) -> None:
    filled_target(target)

    done = backed_up.succeed("restore", "latest", "--target", target, "--overwrite=never", "--json")

    assert (target / "data" / "readme.txt").read_bytes() == b"mine, older"
    assert (target / "data" / "large.bin").read_bytes() == b"mine, older"
    assert (target / "data" / "docs" / "two.md").read_bytes() == b"two"
    assert done.summary["skipped"] >= 3


def test_overwrite_if_changed_writes_only_what_differs(backed_up: Machine, target: Path) -> None:
    backed_up.succeed("restore", "latest", "--target", target)
    same = (target / "data" / "docs" / "one.txt").stat()
    (target / "data" / "readme.txt").write_bytes(b"changed")
    (target / "data" / "docs" / "two.md").unlink()

    done = backed_up.succeed("restore", "latest", "--target", target, "--overwrite=if-changed", "--json")

    assert differences(backed_up.folder / "data", target / "data") == []
    assert (target / "data" / "docs" / "one.txt").stat().st_ino == same.st_ino
    assert done.summary["bytes_restored"] < len(LARGE)


def test_delete_verify_and_sparse_together_make_the_folder_that_of_the_snapshot(
    backed_up: Machine, target: Path
) -> None:
    options = ("--overwrite=always", "--delete", "--verify", "--sparse")
    shown = backed_up.succeed("restore", "latest", "--target", filled_target(target), *options, "--dry-run")
    done = backed_up.succeed("restore", "latest", "--target", target, *options, "--json")

    assert "removed   data/mine\n" in shown.stdout.decode()
    assert differences(backed_up.folder / "data", target / "data") == []
    assert done.summary["removed"] == 1
    assert done.summary["verified_bytes"] >= len(LARGE)


# ---- a target that is a trap


@pytest.mark.parametrize("wanted", ["latest", "latest:data/docs"])
def test_symlinks_planted_in_the_target_lead_no_write_outside(backed_up: Machine, target: Path, wanted: str) -> None:
    outside = Tree({"one.txt": b"not to be touched", "deep/three.txt": b"neither"}).make(target.with_suffix(".outside"))
    planted = target / "data" if wanted == "latest" else target
    planted.mkdir(parents=True)
    (planted / "docs").symlink_to(outside)
    (planted / "deep").symlink_to(outside / "deep")
    (planted / "one.txt").symlink_to(outside / "one.txt")
    (planted / "large.bin").symlink_to(outside / "new")
    before = look_at(outside)

    done = backed_up.run("restore", wanted, "--target", target, "--overwrite=always")

    assert differences(before, outside) == []
    assert done.exit_code in (0, 3)
    assert "internal error" not in done.stderr
