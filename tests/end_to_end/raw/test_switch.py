"""When a source is read raw by itself, when it is not and why, and that what is mounted is held still."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from kit.deadlines import eventually
from kit.disks.raw_volumes import loop_device, make_file_system, mounted
from kit.needs import need_loop_devices
from kit.program.machine import Machine

MIB = 1024 * 1024


def many_files(folder: Path, count: int) -> None:
    for number in range(count):
        if number % 1000 == 0:
            (folder / f"d{number}").mkdir()
        (folder / f"d{number - number % 1000}" / f"f{number}").write_bytes(b"%d" % number)


@pytest.fixture
def image(machine: Machine) -> Path:
    need_loop_devices()
    made = make_file_system(machine.folder / "disk.img", "ext4", 64 * MIB)
    with mounted(made, machine.folder / "mnt") as folder:
        many_files(folder, 300)
    return made


def test_a_mount_point_with_more_files_is_read_raw_and_with_fewer_file_by_file(machine: Machine, image: Path) -> None:
    with mounted(image, machine.folder / "mnt", "ro") as folder:
        above = machine.succeed("backup", folder, "--raw-above", "299", *machine.devices("a b"), "--json")
        assert above.summary["mode"] == "raw"
        assert "has more than 299 files" in above.stderr
        below = machine.succeed("backup", folder, "--raw-above", "300", *machine.devices("a b"), "--json")
        assert (below.summary["mode"], below.summary["files"]) == ("files", 300)


def test_what_cannot_be_read_raw_is_read_file_by_file_and_the_reason_is_told(machine: Machine, image: Path) -> None:
    with mounted(image, machine.folder / "mnt") as folder:
        devices = machine.devices("a")
        cases = {
            (str(folder),): "is mounted writable",
            (str(folder / "d0"),): "a folder inside a file system",
            (str(folder), "--freeze", "-e", "*.x"): "files are excluded",
        }
        for arguments, why in cases.items():
            done = machine.succeed("backup", *arguments, "--raw-above", "10", *devices, "--json")
            assert done.summary["mode"] == "files"
            assert why in done.stderr
        inner = make_file_system(machine.folder / "inner.img", "ext4", 16 * MIB)
        with mounted(inner, folder / "inner"):
            done = machine.succeed("backup", folder, "--freeze", "--raw-above", "1", *devices, "--json")
            assert "another file system is mounted in it" in done.stderr


def test_a_device_that_is_mounted_writable_falls_back_to_its_files_or_is_read_with_a_loud_warning(
    machine: Machine, image: Path
) -> None:
    with loop_device(image) as raw_volume, mounted(raw_volume, machine.folder / "mnt"):
        done = machine.succeed("backup", raw_volume, *machine.devices("a"), "--json")
        assert (done.summary["mode"], done.summary["files"]) == ("files", 300)
        assert "read one by one" in done.stderr
        done = machine.succeed("backup", "--mode", "raw", raw_volume, *machine.devices("a"), "--json")
        assert done.summary["mode"] == "raw"
        assert "WARNING" in done.stderr


def test_a_frozen_file_system_is_thawed_after_success_and_after_a_kill(machine: Machine, image: Path) -> None:
    with loop_device(image) as raw_volume, mounted(raw_volume, machine.folder / "mnt") as folder:
        done = machine.succeed("backup", "--freeze", folder, "--raw-above", "10", *machine.devices("a"), "--json")
        assert done.summary["mode"] == "raw"
        (folder / "written").write_text("after")
        for _ in range(3):
            (folder / "big").write_bytes(os.urandom(20 * MIB))
        running = machine.start("backup", "--freeze", raw_volume, *machine.devices("a"), "--json", "--level", "19")
        running.wait_until_storing()
        running.signal(signal.SIGKILL)
        running.wait()
        # Would wait for ever on a frozen file system.
        eventually(lambda: _can_write(folder), "the file system is thawed")


def _can_write(folder: Path) -> bool:
    child = os.fork()
    if not child:
        (folder / "again").write_text("x")
        os._exit(0)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    return False


def test_a_file_system_that_segfleet_writes_to_is_not_frozen(machine: Machine, image: Path) -> None:
    with loop_device(image) as raw_volume, mounted(raw_volume, machine.folder / "mnt") as folder:
        (folder / "dev").mkdir()
        refused = machine.run("backup", "--freeze", raw_volume, f"--device=a={folder}/dev")
        assert refused.exit_code == 2
        assert "must not contain itself" in refused.stderr
        refused = machine.run("backup", "--freeze", raw_volume, *machine.devices("a"), TMPDIR=str(folder))
        assert refused.exit_code == 2
        assert "cannot be frozen" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("--mode", "raw", "/dev/null"), 2, "character device"),
        (("/dev/zero",), 2, "character device"),
        (("--mode", "raw", "/etc"), 2, "not a mount point"),
        (("--raw-above", "0", "/etc"), 2, "--raw-above"),
        (("--raw-above", "-5", "/etc"), 2, "--raw-above"),
    ],
)
def test_bad_input_is_refused(machine: Machine, arguments: tuple[str, ...], exit_code: int, said: str) -> None:
    done = machine.run("backup", *arguments, *machine.devices("a"))
    assert done.exit_code == exit_code
    assert said in done.stderr
    assert not machine.segments_on()


def test_swap_space_and_empty_images_are_refused(machine: Machine) -> None:
    image = machine.folder / "swap.img"
    image.write_bytes(bytes(4086) + b"SWAPSPACE2" + bytes(MIB))
    done = machine.run("backup", "--mode", "raw", image, *machine.devices("a"))
    assert (done.exit_code, "swap" in done.stderr) == (2, True) or "swap" in done.stderr
    image.write_bytes(b"")
    done = machine.run("backup", "--mode", "raw", image, *machine.devices("a"))
    assert done.exit_code == 2
    assert "empty" in done.stderr


def test_a_volume_that_holds_a_backup_device_is_refused(machine: Machine, image: Path) -> None:
    with loop_device(image) as raw_volume, mounted(raw_volume, machine.folder / "mnt") as folder:
        done = machine.run("backup", "--mode", "raw", raw_volume, f"--device=a={folder}")
        assert done.exit_code == 2
        assert "must not contain itself" in done.stderr


def test_a_target_that_is_mounted_or_too_small_is_refused(machine: Machine, image: Path) -> None:
    machine.succeed("backup", "--mode", "raw", image, *machine.devices("a"))
    with loop_device(image) as raw_volume, mounted(raw_volume, machine.folder / "mnt"):
        done = machine.run("restore", "latest", "--target", raw_volume, "--force")
        assert done.exit_code == 1
        assert "is mounted on" in done.stderr
    small = machine.folder / "small.img"
    small.write_bytes(bytes(MIB))
    with loop_device(small) as raw_volume:
        done = machine.run("restore", "latest", "--target", raw_volume)
        assert done.exit_code == 1
        assert "too small" in done.stderr
    kept = machine.folder / "kept.img"
    kept.write_bytes(b"mine")
    assert machine.run("restore", "latest", "--target", kept).exit_code == 1
    assert kept.read_bytes() == b"mine"


def test_a_device_whose_blocks_fail_is_stored_with_zeros_in_their_place(machine: Machine) -> None:
    backing = machine.folder / "bad.img"
    content = os.urandom(12 * MIB)
    backing.write_bytes(content)
    with loop_device(backing) as raw_volume:
        # What lies behind the end of its file a loop device answers with EIO.
        os.truncate(backing, 10 * MIB)
        done = machine.run("backup", raw_volume, *machine.devices("a b"), "--json")
        assert done.exit_code == 3
        assert [row["code"] for row in done.errors] == ["bad-blocks"]
        assert f"bytes {10 * MIB} to {12 * MIB}" in done.errors[0]["message"]
    machine.succeed("restore", "latest", "--target", machine.folder / "out.img")
    assert (machine.folder / "out.img").read_bytes() == content[: 10 * MIB] + bytes(2 * MIB)


def configured(machine: Machine, image: Path, pre: str, post: str, limit_s: int = 30) -> None:
    (machine.folder / "segfleet.toml").write_text(
        f'[volumes.data]\npre = "{pre}"\npost = "{post}"\nhook-limit-s = {limit_s}\n[sources.data]\npath = "{image}"\n'
    )


def test_pre_makes_the_source_and_post_removes_it(machine: Machine) -> None:
    made, log = machine.folder / "made.img", machine.folder / "log"
    configured(machine, made, f"head -c 5000000 /dev/urandom > {made}", f"rm {made}; echo post >> {log}")
    machine.succeed("backup", "data", "--mode", "raw", *machine.devices("a"))
    assert not made.exists()
    assert log.read_text() == "post\n"


def test_post_runs_when_pre_or_the_backup_fails_and_at_the_next_start_after_a_kill(machine: Machine) -> None:
    made, log = machine.folder / "made.img", machine.folder / "log"
    post = f"echo post >> {log}"
    configured(machine, made, "exit 7", post)
    failed = machine.run("backup", "data", "--mode", "raw", *machine.devices("a"))
    assert failed.exit_code == 1
    assert "ended with 7" in failed.stderr
    configured(machine, made, "true", post)
    assert machine.run("backup", "data", "--mode", "raw", *machine.devices("a")).exit_code == 2
    assert log.read_text() == "post\n" * 2
    configured(machine, made, f"head -c 60000000 /dev/urandom > {made}", post)
    running = machine.start("backup", "data", "--mode", "raw", "--level", "19", *machine.devices("a"), "--json")
    running.wait_until_storing()
    running.signal(signal.SIGKILL)
    running.wait()
    assert log.read_text() == "post\n" * 2
    machine.succeed("backup", "/etc/hostname", *machine.devices("a"))
    assert log.read_text() == "post\n" * 3


def test_a_command_that_takes_too_long_is_ended(machine: Machine) -> None:
    configured(machine, machine.folder / "made.img", "sleep 600", "true", limit_s=1)
    failed = machine.run("backup", "data", "--mode", "raw", *machine.devices("a"))
    assert failed.exit_code == 1
    assert "took longer than 1 s" in failed.stderr


@pytest.mark.slow
def test_120_000_small_files_are_read_raw_by_default(machine: Machine) -> None:
    need_loop_devices()
    # An inode for every 4 KiB: by default there are fewer than files.
    image = make_file_system(machine.folder / "many.img", "ext4", 1024 * MIB, "-i", "4096")
    with mounted(image, machine.folder / "mnt") as folder:
        many_files(folder, 120_000)
    with mounted(image, machine.folder / "mnt", "ro") as folder:
        done = machine.succeed("backup", folder, *machine.devices("a b"), "--json")
        assert done.summary["mode"] == "raw"
        assert "more than 100000 files" in done.stderr
    machine.succeed("restore", "latest", "--target", machine.folder / "out.img")
    with mounted(machine.folder / "out.img", machine.folder / "mnt", "ro") as folder:
        for number in (0, 77_777, 119_999):
            assert (folder / f"d{number - number % 1000}/f{number}").read_bytes() == b"%d" % number
        assert sum(len(files) for _, _, files in os.walk(folder)) == 120_000
