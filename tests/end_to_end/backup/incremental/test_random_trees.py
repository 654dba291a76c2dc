"""Trees of random names, kinds, attributes and modes come back the same."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from kit.compare import differences
from kit.needs import need_root
from kit.program.machine import machine as new_machine
from kit.program.nobody import NOBODY, as_nobody
from kit.program.proof import bring_back
from kit.random_trees import random_trees
from kit.tree import Tree

#: Each has many entries and takes seconds, so there are few, and none is made smaller.
few = settings(
    max_examples=2,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")


@contextmanager
def tmpfs(folder: Path) -> Iterator[Path]:
    """It keeps times that ext4 does not, and larger attributes."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@few
@given(random_trees(as_root=True))
def test_a_random_tree_of_root(tree: Tree) -> None:
    need_root("make device nodes, give files away and set flags")
    with new_machine() as machine, tmpfs(machine.folder / "far") as far:
        source = tree.make(far / "data")
        machine.succeed("backup", source, *machine.devices("a b"), *SMALL)
        bring_back(machine, far / "out")
        assert differences(source, far / "out" / "data", holes=True) == []


@few
@given(random_trees(as_root=False))
def test_a_random_tree_of_a_user(tree: Tree) -> None:
    need_root("mount a file system that keeps all times")
    with new_machine() as machine, tmpfs(machine.folder / "far") as far:
        source = far / "data"
        source.mkdir()

        def make(folder: Path) -> None:
            tree.make(folder)

        as_nobody(source, make)
        machine.run_as(NOBODY)
        machine.succeed("backup", source, *machine.devices("a b"), *SMALL)
        machine.succeed("restore", "latest", "--target", far / "out")
        assert differences(source, far / "out" / "data", holes=True) == []
