"""Raw volumes by way of a manager and agents: each of them reads the volume by its name in its own configuration."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from kit.disks.raw_volumes import filled, loop_device, make_file_system, mounted
from kit.services.fleet import Fleet

MIB = 1024 * 1024


class Site:
    """Manager m, agents for the devices a and b, and a master; all know the same sources."""

    def __init__(self, fleet: Fleet, sources: Mapping[str, Path], *, targets: Mapping[str, Path] | None = None) -> None:
        self.fleet = fleet
        self.back = fleet.folder / "back"
        self.disks = {name: fleet.folder / "disks" / name for name in ("a", "b")}
        for disk in self.disks.values():
            disk.mkdir(parents=True)
        targets = {"back": self.back, **(targets or {})}
        for name, disk in self.disks.items():
            fleet.agent(fleet.host(f"agent-{name}", devices={name: disk}, sources=sources, targets=targets), name)
        self.manager = fleet.host("manager", devices={"a": None, "b": None}, sources=sources, targets=targets)
        fleet.manager(self.manager, "m")
        self.master = fleet.host("master")


def plain_image(fleet: Fleet) -> Path:
    """30 MiB and some bytes without a file system: data, zeros, a hole."""
    image = fleet.folder / "images" / "disk.img"
    image.parent.mkdir()
    with open(image, "wb") as file:
        file.write(random.Random(1).randbytes(9 * MIB))
        file.write(bytes(5 * MIB))
        file.seek(20 * MIB)
        file.write(random.Random(2).randbytes(10 * MIB + 777))
    return image


def ext4_image(fleet: Fleet) -> Path:
    def fill(folder: Path) -> None:
        (folder / "etc").mkdir()
        (folder / "etc/name").write_bytes(b"tower\n")
        for number in range(50):
            (folder / f"f{number:02}").write_bytes(random.Random(number).randbytes(50_000))

    image = make_file_system(fleet.folder / "ext4.img", "ext4", 64 * MIB)
    return filled(image, fleet.folder / "mnt", fill)


def test_an_image_goes_through_agents_and_back_and_the_second_backup_stores_what_changed(fleet: Fleet) -> None:
    image = plain_image(fleet)
    site = Site(fleet, {"vol": image})

    first = site.master.succeed("backup", "vol", "--mode", "raw", "--json")
    with open(image, "r+b") as file:
        file.seek(22 * MIB)
        file.write(b"changed")
    second = site.master.succeed("backup", "vol", "--mode", "raw", "--json")
    site.master.succeed("restore", "latest", "--target", "back", "--manager", "m")
    site.master.succeed("check", "--read-data")

    assert first.summary["mode"] == "raw"
    assert all(row["segments"] for row in first.summary["devices"].values())
    assert sum(row["bytes_source"] for row in second.summary["devices"].values()) == 4 * MIB
    assert (site.back / "vol").read_bytes() == image.read_bytes()


def test_an_image_below_a_source_is_a_volume_too(fleet: Fleet) -> None:
    image = plain_image(fleet)
    site = Site(fleet, {"images": image.parent})

    done = site.master.succeed("backup", "images/disk.img", "--mode", "raw", "--json")
    site.master.succeed("restore", "latest", "--target", "back", "--manager", "m")

    assert done.summary["mode"] == "raw"
    assert (site.back / "disk.img").read_bytes() == image.read_bytes()


def test_a_block_device_is_read_raw_by_itself_and_restored_to_another(fleet: Fleet) -> None:
    image = ext4_image(fleet)
    spare = make_file_system(fleet.folder / "spare.img", "ext4", 64 * MIB)
    with loop_device(image) as device, loop_device(spare) as target:
        site = Site(fleet, {"vol": device}, targets={"spare": target})

        done = site.master.succeed("backup", "vol", "--json")
        refused = site.master.run("restore", "latest", "--target", "spare", "--manager", "m")
        with open(target, "r+b") as file:
            file.write(bytes(MIB))
        site.master.succeed("restore", "latest", "--target", "spare", "--manager", "m")

    assert done.summary["mode"] == "raw"
    assert done.summary["errors"] == 0
    assert refused.exit_code == 1
    assert "is not empty" in refused.stderr
    with mounted(spare, fleet.folder / "mnt", "ro") as folder:
        assert (folder / "etc/name").read_bytes() == b"tower\n"
        assert (folder / "f07").read_bytes() == random.Random(7).randbytes(50_000)


def test_what_agents_would_have_to_look_for_elsewhere_is_refused_with_the_way_out(fleet: Fleet) -> None:
    image = ext4_image(fleet)
    with (
        loop_device(image) as device,
        loop_device(plain_image(fleet)) as unnamed,
        mounted(device, fleet.folder / "mnt") as folder,
    ):
        site = Site(fleet, {"vol": device, "folder": folder, "dev": device.parent})
        cases = {
            ("vol",): "agents know only the device",
            ("folder", "--mode", "raw"): "agents know the folder",
            (f"dev/{unnamed.name}",): "agents read only devices that have a name of their own",
        }
        for arguments, why in cases.items():
            done = site.master.run("backup", *arguments, "--manager", "m")
            assert done.exit_code == 2, done
            assert why in done.stderr
        many = site.master.succeed("backup", "folder", "--raw-above", "10", "--json")
        assert many.summary["mode"] == "files"
        assert "agents read it by their own configuration" in many.stderr


def test_a_device_whose_agent_does_not_see_the_volume_leaves_it_to_the_others(fleet: Fleet) -> None:
    image = plain_image(fleet)
    site = Site(fleet, {"vol": image})
    blind_disk = fleet.folder / "disks" / "blind"
    blind_disk.mkdir()
    blind = fleet.host("blind", devices={"c": blind_disk}, sources={"vol": fleet.folder / "gone"})
    fleet.agent(blind, "c")
    both = fleet.host("both", devices={"a": None, "c": None}, sources={"vol": image})
    alone = fleet.host("alone", devices={"c": None}, sources={"vol": image})

    small = ("--segment-size=4MiB", "--unit-size=1MiB")
    done = both.succeed("backup", "vol", "--mode", "raw", *small, "--manager", "local", "--json")
    failed = alone.run("backup", "vol", "--mode", "raw", "--manager", "local", "--retries", "1")

    assert done.summary["devices"]["c"]["segments"] == 0
    assert "other devices store its share" in done.stderr
    assert failed.exit_code == 1
    assert f"source vol: {fleet.folder}/gone: No such file or directory" in failed.stderr
    assert site.master.succeed("status").exit_code == 0


def test_an_agent_takes_no_other_disk_for_the_volume(fleet: Fleet) -> None:
    one, other = ext4_image(fleet), make_file_system(fleet.folder / "other.img", "ext4", 64 * MIB)
    with loop_device(one) as device, loop_device(other) as another:
        disk = fleet.folder / "disk"
        disk.mkdir()
        fleet.agent(fleet.host("agent", devices={"a": disk}, sources={"vol": another}), "a")
        here = fleet.host("here", devices={"a": None}, sources={"vol": device})

        done = here.run("backup", "vol", "--retries", "0")

    assert done.exit_code == 1
    assert "not the raw volume that the manager has" in done.stderr
    assert list(disk.glob("segments/*/*.seg")) == []
