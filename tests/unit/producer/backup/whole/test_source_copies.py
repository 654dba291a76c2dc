"""Copies between hosts: made from the sources, of all that the snapshot needs, also of what earlier ones stored."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.models.pruned_pool import tree
from kit.tree import Tree, noise
from tasks.errors import OutOfReachError
from tasks.orders import Order
from tasks.orders.copying import CopyObject

CELL_BYTES = 4 * 1024**2
TREE = Tree({"large": noise(3 * CELL_BYTES), **{f"d/{n}": noise(20_000, seed=n) for n in range(8)}})


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[InProcess]:
    """No worker reaches the other device.  One snapshot, without copies, of which all lies on a."""

    def refuse(order: Order) -> None:
        if isinstance(order, CopyObject):
            raise OutOfReachError("the other device is on another host")

    with in_process(tmp_path, "a") as made:
        made.before = refuse
        made.back_up({"data": TREE.make(tmp_path / "data")})
        made.devices = "ab"
        made.device("b").mkdir()
        yield made


def restored_from(made: InProcess, name: str) -> dict[str, bytes]:
    other = next(one for one in "ab" if one != name)
    made.device(other).rename(made.folder / "away")
    try:
        made.restore()
    finally:
        (made.folder / "away").rename(made.device(other))
    return tree(made.target / "data")


def test_what_a_changed_file_keeps_of_earlier_backups_is_copied_too(hosts: InProcess, tmp_path: Path) -> None:
    with (tmp_path / "data" / "large").open("r+b") as file:
        file.seek(CELL_BYTES + 100)
        file.write(b"changed")
    (tmp_path / "data" / "d" / "3").write_bytes(noise(20_000, seed=99))

    second = hosts.back_up({"data": tmp_path / "data"}, copies=2)
    third = hosts.back_up({"data": tmp_path / "data"}, copies=2)

    assert (second.exit_code, second.copies_missing) == (0, 0)
    assert (third.copies_made, third.copies_missing) == (0, 0)
    for name in "ba":
        assert restored_from(hosts, name) == tree(tmp_path / "data")
        shutil.rmtree(hosts.target)


def test_of_a_segment_in_which_only_a_compared_file_lies_the_cells_that_are_needed_are_copied(
    hosts: InProcess, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "data" / "d")
    with (tmp_path / "data" / "large").open("r+b") as file:
        file.write(b"changed")

    second = hosts.back_up({"data": tmp_path / "data"}, copies=2)

    assert (second.exit_code, second.copies_missing) == (0, 0)
    assert restored_from(hosts, "b") == tree(tmp_path / "data")
