"""Raw volumes through the command: every byte comes back, free blocks and unchanged cells take no room."""

from __future__ import annotations

import os
import random
import subprocess
from contextlib import nullcontext
from pathlib import Path

import pytest

from kit.disks.raw_volumes import filled, is_sound, loop_device, make_file_system, mounted
from kit.needs import need_tools
from kit.program.machine import Machine
from kit.program.proof import read_all

MIB = 1024 * 1024

#: The smallest that the tools make.
_SIZES = {"ext4": 100 * MIB, "xfs": 320 * MIB}


def a_tree(folder: Path) -> None:
    """Files of many sizes; some are removed again, so that free blocks hold garbage."""
    chance = random.Random(7)
    for number in range(60):
        directory = folder / f"d{number % 7}"
        directory.mkdir(exist_ok=True)
        (directory / f"f{number}").write_bytes(chance.randbytes(chance.randrange(1, 400_000)))
    with open(folder / "garbage", "wb") as garbage:
        garbage.write(b"garbage!" * (20 * MIB // 8))
        garbage.flush()
        os.fsync(garbage.fileno())
    (folder / "garbage").unlink()


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("f*")) if path.is_file()}


def make_plain_image(machine: Machine) -> Path:
    """14 MiB and some bytes without a file system: data, zeros, a hole."""
    image = machine.folder / "plain.img"
    with open(image, "wb") as file:
        file.write(random.Random(1).randbytes(4 * MIB))
        file.write(bytes(2 * MIB))
        file.seek(9 * MIB)
        file.write(random.Random(2).randbytes(5 * MIB + 777))
    return image


@pytest.fixture
def plain_image(machine: Machine) -> Path:
    return make_plain_image(machine)


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Machine:
    """A machine with the plain image, and a backup of it to a, b and c."""
    image = make_plain_image(shared_machine)
    devices = shared_machine.devices("a b c")
    done = shared_machine.succeed("backup", "--mode", "raw", image, *devices, "--json")
    assert done.summary["mode"] == "raw"
    assert done.summary["bytes_source"] == image.stat().st_size
    assert all(row["segments"] for row in done.summary["devices"].values())
    return shared_machine


@pytest.fixture
def content(stored: Machine) -> bytes:
    """Of the image."""
    return (stored.folder / "plain.img").read_bytes()


def test_an_image_comes_back_byte_for_byte_to_a_sparse_image_a_folder_and_a_stream(
    stored: Machine, content: bytes
) -> None:
    out = stored.folder / "out.img"
    stored.succeed("restore", "latest", "--target", out)
    assert out.read_bytes() == content
    assert out.stat().st_blocks * 512 < 12 * MIB
    stored.succeed("restore", "latest", "--target", f"{stored.folder}/folder/")
    assert (stored.folder / "folder/plain.img").read_bytes() == content
    assert stored.succeed("dump", "latest").stdout == content
    stored.succeed("check", "--read-data")


def test_an_image_that_is_split_by_what_remains_comes_back(machine: Machine, plain_image: Path) -> None:
    machine.succeed("backup", "--mode", "raw", "--split", "remaining", plain_image, *machine.devices("a b c"))
    machine.succeed("restore", "latest", "--target", machine.folder / "out.img")
    assert (machine.folder / "out.img").read_bytes() == plain_image.read_bytes()


def test_an_image_that_is_restored_over_an_older_one_has_nothing_of_that(stored: Machine, content: bytes) -> None:
    older = stored.folder / "older.img"
    older.write_bytes(os.urandom(len(content) + MIB))

    refused = stored.run("restore", "latest", "--target", older)
    stored.succeed("restore", "latest", "--target", older, "--force")

    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert older.read_bytes() == content


def test_a_lost_device_costs_its_ranges_only(stored: Machine, content: bytes) -> None:
    part, left = stored.folder / "part.img", stored.devices("a b")
    stored.device("c").rename(stored.folder / "away")
    try:
        done = stored.run("restore", "latest", "--target", part, *left, "--json")
        dumped = stored.run("dump", "latest", *left)
    finally:
        (stored.folder / "away").rename(stored.device("c"))
    assert done.exit_code == 3
    assert part.stat().st_size == len(content)
    assert {row["code"] for row in done.errors} == {"device-absent"}
    assert dumped.exit_code == 1


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_device_comes_back_with_sound_file_system_and_without_its_free_blocks(machine: Machine, kind: str) -> None:
    image = make_file_system(machine.folder / "disk.img", kind, _SIZES[kind])
    filled(image, machine.folder / "mnt", a_tree)
    with mounted(image, machine.folder / "mnt", "ro"):
        expected = files_of(machine.folder / "mnt")
    target = machine.folder / "target.img"
    target.write_bytes(os.urandom(MIB))
    os.truncate(target, _SIZES[kind])
    with loop_device(image) as source, loop_device(target) as device:
        done = machine.succeed("backup", source, *machine.devices("a b"), "--json")
        assert done.summary["mode"] == "raw"
        assert sum(row["bytes_source"] for row in done.summary["devices"].values()) < _SIZES[kind] / 2
        refused = machine.run("restore", "latest", "--target", device)
        assert refused.exit_code == 1
        assert "--force" in refused.stderr
        machine.succeed("restore", "latest", "--target", device, "--force")
    assert is_sound(target, kind)
    with mounted(target, machine.folder / "mnt", "ro"):
        assert files_of(machine.folder / "mnt") == expected
    assert b"garbage!" * 10_000 not in target.read_bytes()


def test_a_fat_image_comes_back_without_its_free_blocks(machine: Machine) -> None:
    need_tools("mkfs.vfat", "fsck.fat", "partclone.fat", "mcopy", "mdel")
    image = make_file_system(machine.folder / "stick.img", "vfat", 120 * MIB)
    (machine.folder / "photo").write_bytes(os.urandom(5 * MIB))
    (machine.folder / "garbage").write_bytes(b"garbage!" * (20 * MIB // 8))
    # mtools write into the image, since not every kernel can mount FAT.
    for name in ("photo", "garbage"):
        subprocess.run(["mcopy", "-i", image, machine.folder / name, f"::{name}"], check=True)
    subprocess.run(["mdel", "-i", image, "::garbage"], check=True)
    done = machine.succeed("backup", "--mode", "raw", image, *machine.devices("a b"), "--json")
    assert sum(row["bytes_source"] for row in done.summary["devices"].values()) < 30 * MIB
    out = machine.folder / "out.img"
    machine.succeed("restore", "latest", "--target", out)
    assert is_sound(out, "vfat")
    subprocess.run(["mcopy", "-i", out, "::photo", machine.folder / "photo.back"], check=True)
    assert (machine.folder / "photo.back").read_bytes() == (machine.folder / "photo").read_bytes()
    assert b"garbage!" * 10_000 not in out.read_bytes()


def test_all_blocks_restores_free_blocks_too(machine: Machine) -> None:
    image = make_file_system(machine.folder / "disk.img", "ext4", 100 * MIB)
    filled(image, machine.folder / "mnt", a_tree)
    machine.succeed("backup", "--mode", "raw", "--all-blocks", image, *machine.devices("a"))
    machine.succeed("restore", "latest", "--target", machine.folder / "out.img")
    assert (machine.folder / "out.img").read_bytes() == image.read_bytes()


def test_the_second_backup_stores_what_changed_and_needs_the_first_for_the_rest(
    machine: Machine, plain_image: Path
) -> None:
    devices = machine.devices("a b")
    first = machine.succeed("backup", "--mode", "raw", plain_image, *devices, "--json").summary
    same = machine.succeed("backup", "--mode", "raw", plain_image, *devices, "--json").summary
    assert same["segments"] == 0
    assert same["bytes_stored"] == 0
    with open(plain_image, "r+b") as file:
        file.seek(12 * MIB)
        file.write(b"changed")
    changed = machine.succeed("backup", "--mode", "raw", plain_image, *devices, "--json").summary
    assert 0 < changed["bytes_stored"] < first["bytes_stored"] / 2
    machine.succeed("restore", "latest", "--target", machine.folder / "new.img")
    assert (machine.folder / "new.img").read_bytes() == plain_image.read_bytes()
    machine.succeed("restore", first["snapshot_id"], "--target", machine.folder / "old.img")
    assert (machine.folder / "old.img").read_bytes() != plain_image.read_bytes()
    read_all(machine)


def test_unchanged_cells_stay_on_a_device_that_is_away_and_are_stored_again_when_it_is_lost(
    machine: Machine, plain_image: Path
) -> None:
    machine.succeed("backup", "--mode", "raw", plain_image, *machine.devices("a b"))
    machine.device("b").rename(machine.folder / "away")
    away = machine.run("backup", "--mode", "raw", plain_image, *machine.devices("a"), "--json")
    machine.succeed("devices", "lost", "b")
    machine.succeed("backup", "--mode", "raw", plain_image, *machine.devices("a"))
    machine.succeed("restore", "latest", "--target", machine.folder / "out.img", *machine.devices("a"))
    assert (away.exit_code, [lack["device"] for lack in away.summary["incomplete"]]) == (3, ["b"])
    assert away.summary["bytes_stored"] == 0
    assert (machine.folder / "out.img").read_bytes() == plain_image.read_bytes()


@pytest.mark.parametrize("kind", ["image", "block device"])
def test_what_cannot_be_restored_is_zeros_whatever_was_there_before(
    machine: Machine, plain_image: Path, kind: str
) -> None:
    steps = ("--segment-size=1MiB", "--unit-size=256KiB")
    machine.succeed("backup", "--mode", "raw", plain_image, *machine.devices("a b"), *steps)
    machine.device("b").rename(machine.folder / "away")
    damaged = max(machine.segments_on("a"), key=lambda segment: segment.stat().st_size)
    os.truncate(damaged, damaged.stat().st_size // 2)
    old = machine.folder / "old"
    old.write_bytes(os.urandom(20 * MIB))
    with loop_device(old) if kind == "block device" else nullcontext(old) as target:
        command = ("restore", "latest", f"--device=a={machine.device('a')}", "--json")
        new = machine.run(*command, "--target", machine.folder / "new.img")
        done = machine.run(*command, "--target", target, "--force")
        content = target.read_bytes()

    lost = {row["message"] for row in done.errors}
    assert (new.exit_code, done.exit_code) == (3, 3)
    assert {row["code"] for row in done.errors} == {"device-absent", "damaged"}
    assert lost == {row["message"] for row in new.errors}
    size_bytes = plain_image.stat().st_size
    assert content[:size_bytes] == (machine.folder / "new.img").read_bytes()
    assert content[:size_bytes] != plain_image.read_bytes()


def test_files_come_out_of_an_image_of_ext4(machine: Machine) -> None:
    need_tools("debugfs")
    image = make_file_system(machine.folder / "disk.img", "ext4", 64 * MIB)
    source = machine.folder / "small"
    (source / "etc/deep").mkdir(parents=True)
    (source / "etc/hosts").write_text("127.0.0.1 here\n")
    (source / "etc/deep/name with blank").write_bytes(os.urandom(70_000))
    (source / "etc/link").symlink_to("hosts")
    # mke2fs fills an image without root.
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", "-d", str(source), str(image)], check=True)
    machine.succeed("backup", "--mode", "raw", image, *machine.devices("a b"))
    listed = machine.succeed("ls", "latest", "disk.img/etc", "--json").rows
    assert [(row["path"], row["kind"]) for row in listed] == [
        ("disk.img/etc", "directory"),
        ("disk.img/etc/deep", "directory"),
        ("disk.img/etc/hosts", "file"),
        ("disk.img/etc/link", "symlink"),
    ]
    machine.succeed("restore", "latest:disk.img/etc", "--target", machine.folder / "out")
    assert (machine.folder / "out/hosts").read_text() == "127.0.0.1 here\n"
    assert os.readlink(machine.folder / "out/link") == "hosts"
    deep = "etc/deep/name with blank"
    machine.succeed("restore", f"latest:disk.img/{deep}", "--target", machine.folder / "one")
    assert (machine.folder / "one/name with blank").read_bytes() == (source / deep).read_bytes()
    assert machine.run("restore", "latest:disk.img/none", "--target", machine.folder / "no").exit_code == 2


def test_files_come_out_of_an_image_of_fat(machine: Machine) -> None:
    need_tools("mkfs.vfat", "mcopy")
    image = make_file_system(machine.folder / "stick.img", "vfat", 64 * MIB)
    photo = machine.folder / "a photo.jpg"
    photo.write_bytes(os.urandom(70_000))
    subprocess.run(["mmd", "-i", image, "::holidays"], check=True)
    subprocess.run(["mcopy", "-i", image, photo, "::holidays"], check=True)
    machine.succeed("backup", "--mode", "raw", image, *machine.devices("a b"))
    listed = machine.succeed("ls", "latest", "stick.img/holidays", "--json").rows
    assert [(row["path"], row["kind"], row["size_bytes"]) for row in listed] == [
        ("stick.img/holidays", "directory", 0),
        ("stick.img/holidays/a photo.jpg", "file", 70_000),
    ]
    done = machine.succeed("restore", "latest:stick.img/holidays", "--target", machine.folder / "out", "--json")
    assert (done.summary["files"], done.summary["errors"]) == (1, 0)
    assert (machine.folder / "out" / photo.name).read_bytes() == photo.read_bytes()


def test_raw_and_file_sources_mix_in_one_backup(machine: Machine, plain_image: Path) -> None:
    tree = machine.folder / "srv"
    tree.mkdir()
    for number in range(30):
        (tree / f"file{number}").write_bytes(os.urandom(10_000))
    with loop_device(_of_whole_blocks(plain_image)) as raw_volume:
        done = machine.succeed("backup", raw_volume, tree, *machine.devices("a b"), "--json")
        assert done.summary["mode"] == "mixed"
        total_bytes = plain_image.stat().st_size + 300_000
        assert done.summary["threshold_bytes"] <= -(-total_bytes // 2)
        machine.succeed("restore", "latest", "--target", machine.folder / "out")
        assert (machine.folder / "out" / raw_volume.name).read_bytes() == plain_image.read_bytes()
    assert (machine.folder / "out/srv/file7").read_bytes() == (tree / "file7").read_bytes()


def _of_whole_blocks(image: Path) -> Path:
    os.truncate(image, image.stat().st_size // 4096 * 4096)
    return image
