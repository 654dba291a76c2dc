"""Which disk is below a path, as sysfs tells it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workers.disks.disks import Disk, disk_of


class Sysfs:
    """A sysfs of a few disks, of which one is below ``path``."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder = folder
        number = path.stat().st_dev
        self.number = f"{os.major(number)}:{os.minor(number)}"
        (folder / "dev" / "block").mkdir(parents=True)

    def disk(self, name: str, *, rotates: bool) -> Path:
        node = self.folder / "devices" / name
        (node / "queue").mkdir(parents=True)
        (node / "queue" / "rotational").write_text(f"{rotates:d}\n")
        return node

    def partition(self, disk: Path, name: str) -> Path:
        (disk / name).mkdir()
        (disk / name / "partition").write_text("1\n")
        return disk / name

    def stacked(self, name: str, *lower: Path) -> Path:
        """A logical volume, an encrypted or a RAID device on others."""
        node = self.disk(name, rotates=False)
        (node / "slaves").mkdir()
        for each in lower:
            (node / "slaves" / each.name).symlink_to(each)
        return node

    def holds_the_path(self, node: Path) -> None:
        (self.folder / "dev" / "block" / self.number).symlink_to(node)


@pytest.fixture
def sysfs(tmp_path: Path) -> Sysfs:
    return Sysfs(tmp_path / "sys", tmp_path)


@pytest.mark.parametrize("rotates", [True, False])
def test_a_disk_rotates_when_the_kernel_says_so(sysfs: Sysfs, tmp_path: Path, rotates: bool) -> None:
    sysfs.holds_the_path(sysfs.disk("sda", rotates=rotates))
    assert disk_of(tmp_path, sysfs.folder) == Disk(name="sda", rotates=rotates)


@pytest.mark.parametrize("name", ["vda", "xvdb"])
def test_a_virtual_disk_does_not_rotate_whatever_it_says(sysfs: Sysfs, tmp_path: Path, name: str) -> None:
    sysfs.holds_the_path(sysfs.disk(name, rotates=True))
    assert disk_of(tmp_path, sysfs.folder) == Disk(name=name, rotates=False)


def test_a_partition_is_its_disk(sysfs: Sysfs, tmp_path: Path) -> None:
    sysfs.holds_the_path(sysfs.partition(sysfs.disk("sda", rotates=True), "sda2"))
    assert disk_of(tmp_path, sysfs.folder) == Disk(name="sda", rotates=True)


def test_a_logical_volume_is_the_disks_below_it(sysfs: Sysfs, tmp_path: Path) -> None:
    sda, sdb = sysfs.disk("sda", rotates=True), sysfs.disk("sdb", rotates=False)
    encrypted = sysfs.stacked("dm-0", sysfs.partition(sda, "sda1"))
    sysfs.holds_the_path(sysfs.stacked("dm-1", encrypted, sdb, sysfs.partition(sda, "sda2")))
    assert disk_of(tmp_path, sysfs.folder) == Disk(name="sda+sdb", rotates=True)


def test_a_disk_that_the_kernel_does_not_know_does_not_rotate(sysfs: Sysfs, tmp_path: Path) -> None:
    assert disk_of(tmp_path, sysfs.folder) == Disk(name=sysfs.number, rotates=False)


def test_a_disk_without_the_attribute_does_not_rotate(sysfs: Sysfs, tmp_path: Path) -> None:
    disk = sysfs.disk("nbd0", rotates=True)
    (disk / "queue" / "rotational").unlink()
    sysfs.holds_the_path(disk)
    assert disk_of(tmp_path, sysfs.folder) == Disk(name="nbd0", rotates=False)
