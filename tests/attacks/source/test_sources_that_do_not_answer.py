"""A mount in the source whose server hangs costs that mount, and holds nobody."""

from __future__ import annotations

from pathlib import Path

from kit.disks.hung_mount import hung_mount
from kit.program.machine import Machine
from kit.tree import Tree
from producer.listing import decode_part
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk import Walk

TREE = {"a/file": b"1", "m/before": b"2", "m/folder/deep": b"3", "m/z": b"4", "m/zz/last": b"5", "z/file": b"6"}
PATHS = ["", "a", "m", "z", "a/file", "m/before", "m/folder", "m/z", "m/zz", "m/folder/deep", "m/zz/last", "z/file"]


def walked(root: Path, troubles: list[Trouble], **exclusions: object) -> list[str]:
    walk = Walk(
        [Source(name="s", path=root)],
        Exclusions(**exclusions),  # type: ignore[arg-type]
        on_trouble=troubles.append,
        on_progress=lambda files, size: None,
        limit_s=1.0,
    )
    return [entry.path for part in walk.parts() for batch in decode_part(part.data) for entry in batch]


def test_a_guarded_walk_lists_what_an_unguarded_one_does(tmp_path: Path) -> None:
    root = Tree(TREE).make(tmp_path / "src")
    assert walked(root, []) == PATHS


def test_a_mount_that_hangs_is_named_and_all_around_it_is_listed(tmp_path: Path) -> None:
    root = Tree(TREE).make(tmp_path / "src")
    troubles: list[Trouble] = []
    with hung_mount(root / "m/hung"), hung_mount(root / "m/hung-too"), hung_mount(root / "zzz"):
        assert walked(root, troubles) == PATHS
    assert [trouble.path for trouble in troubles] == [f"{root}/zzz", f"{root}/m/hung", f"{root}/m/hung-too"]
    assert all("did not answer" in trouble.message for trouble in troubles)


def test_a_mount_that_hangs_is_not_looked_at_where_it_is_excluded(tmp_path: Path) -> None:
    root = Tree(TREE).make(tmp_path / "src")
    troubles: list[Trouble] = []
    with hung_mount(root / "m/hung"):
        assert walked(root, troubles, patterns=("hung/",)) == PATHS
        assert walked(root, troubles, patterns=("/m/h*",)) == PATHS
    assert troubles == []


def test_a_mount_that_hangs_is_an_empty_folder_on_one_file_system(tmp_path: Path) -> None:
    root = Tree(TREE).make(tmp_path / "src")
    troubles: list[Trouble] = []
    with hung_mount(root / "m/hung"):
        assert sorted(walked(root, troubles, one_file_system=True)) == sorted([*PATHS, "m/hung"])
    assert troubles == []


def test_a_backup_around_a_mount_that_hangs_ends_with_a_trouble(machine: Machine) -> None:
    source = Tree(TREE).make(machine.folder / "data")
    with hung_mount(source / "m/hung"):
        done = machine.run("backup", source, *machine.devices("a"), "--json", SEGFLEET_WALK_LIMIT_S="1")
    assert [(error["code"], error["path"]) for error in done.errors] == [("unreadable", f"{source}/m/hung")]
    assert done.exit_code == 3
    machine.succeed("restore", "latest", "--target", machine.folder / "out")
    assert (machine.folder / "out/data/m/zz/last").read_bytes() == b"5"
