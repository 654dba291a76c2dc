"""Bad input gets a clear error and loses nothing.

Every case runs on a machine whose devices hold a backup, and must leave them as they are.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kit.compare import Look, differences, look_at
from kit.disks.small_disk import small_disk
from kit.needs import need, need_root
from kit.program.command import Done
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.tree import Tree, noise


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """``command`` arranges what is needed in an empty folder, and gives the arguments.

    ``says`` must all be in the message or the hint; ``{folder}`` there stands for the case's folder.
    """

    command: Callable[[Machine, Path], list[str | Path]]
    exit_code: int = 2
    code: str = "usage"
    says: tuple[str, ...]


@pytest.fixture(scope="module")
def holder(shared_machine: Machine) -> Machine:
    """The shared machine, with a snapshot of ``data`` on the devices a and b."""
    source = Tree({"file": b"kept", "folder/other": b"kept too"}).make(shared_machine.folder / "data")
    shared_machine.succeed("backup", source, *shared_machine.devices("a b"))
    return shared_machine


def backup(*options: str | Path) -> Callable[[Machine, Path], list[str | Path]]:
    """``backup data`` to the devices a and b, with ``options`` that are wrong."""
    return lambda machine, _: ["backup", machine.folder / "data", *machine.devices("a b"), *options]


def on_backup(*arguments: str | Path) -> Callable[[Machine, Path], list[str | Path]]:
    """A command that reads the backup, with arguments that are wrong."""
    return lambda machine, _: list(arguments)


def with_device(make: Callable[[Machine, Path], object]) -> Callable[[Machine, Path], list[str | Path]]:
    """``backup data`` to the devices a and b and a further one, c, that ``make`` makes."""

    def command(machine: Machine, folder: Path) -> list[str | Path]:
        make(machine, folder / "c")
        return [*backup()(machine, folder), f"--device=c={folder / 'c'}"]

    return command


def with_marker(change: Callable[[str], str]) -> Callable[[Machine, Path], list[str | Path]]:
    """A further device, whose marker is that of a device of the pool, but changed."""

    def make(machine: Machine, device: Path) -> None:
        shutil.copytree(machine.device("a"), device)
        marker = device / "segfleet.json"
        marker.write_text(change(marker.read_text()))

    return with_device(make)


def newer(marker: str) -> str:
    return json.dumps(json.loads(marker) | {"format_version": 99})


def of_another_pool(marker: str) -> str:
    return json.dumps(json.loads(marker) | {"pool_id": "f" * 32, "device_id": "e" * 32})


def not_empty(machine: Machine, device: Path) -> None:
    Tree({"holiday.jpg": b"mine"}).make(device)


def source_in_device(machine: Machine, folder: Path) -> list[str | Path]:
    return ["backup", machine.device("a") / "segments", *machine.devices("a b")]


def device_in_source(machine: Machine, folder: Path) -> list[str | Path]:
    (folder / "source" / "deep" / "device").mkdir(parents=True)
    return ["backup", folder / "source", f"--device=a={folder / 'source/deep/device'}"]


def device_in_source_by_symlink(machine: Machine, folder: Path) -> list[str | Path]:
    device_in_source(machine, folder)
    (folder / "way").symlink_to("source/deep")
    return ["backup", folder / "source", f"--device=a={folder / 'way/device'}"]


def one_folder_twice(machine: Machine, folder: Path) -> list[str | Path]:
    return [*backup()(machine, folder), f"--device=c={machine.device('a')}"]


def one_folder_twice_by_symlink(machine: Machine, folder: Path) -> list[str | Path]:
    (folder / "way").symlink_to(machine.device("a"))
    return [*backup()(machine, folder), f"--device=c={folder / 'way'}"]


def device_in_device(machine: Machine, folder: Path) -> list[str | Path]:
    return [*backup()(machine, folder), f"--device=c={machine.device('a') / 'segments'}"]


def target_not_empty(machine: Machine, folder: Path) -> list[str | Path]:
    Tree({"mine": b"1"}).make(folder / "target")
    return ["restore", "latest", "--target", folder / "target"]


def target_is_a_file(machine: Machine, folder: Path) -> list[str | Path]:
    (folder / "target").write_text("mine")
    return ["restore", "latest", "--target", folder / "target"]


def target_in_device(machine: Machine, folder: Path) -> list[str | Path]:
    return ["restore", "latest", "--target", machine.device("a") / "out"]


def devices_without_a_marker(machine: Machine, folder: Path) -> list[str | Path]:
    (folder / "empty").mkdir()
    return ["restore", "latest", "--target", folder / "out", f"--device=a={folder / 'empty'}"]


def configured(text: str) -> Callable[[Machine, Path], list[str | Path]]:
    def command(machine: Machine, folder: Path) -> list[str | Path]:
        (folder / "segfleet.toml").write_text(text)
        return [*backup()(machine, folder), "--config", folder / "segfleet.toml"]

    return command


REFUSALS = {
    # ---- sources
    "no such source": Refusal(
        command=lambda machine, folder: ["backup", folder / "nowhere", *machine.devices("a b")],
        says=("cannot read source {folder}/nowhere", "name a folder or file"),
    ),
    "an empty name as source": Refusal(
        command=lambda machine, folder: ["backup", "", *machine.devices("a b")], says=("is empty", "variable")
    ),
    "no source": Refusal(command=on_backup("backup", "--device=a=x"), says=("no SOURCE is named", "[sources.NAME]")),
    "a source in a device": Refusal(command=source_in_device, says=("lies inside device a", "must not contain itself")),
    "a device in a source": Refusal(
        command=device_in_source, says=("device a ({folder}/source/deep/device) lies inside source {folder}/source",)
    ),
    "a device in a source, by a symlink": Refusal(
        command=device_in_source_by_symlink, says=("lies inside source {folder}/source",)
    ),
    "one source twice": Refusal(
        command=lambda machine, folder: [*backup()(machine, folder), machine.folder / "data"],
        says=("is named twice",),
    ),
    "a source in a source": Refusal(
        command=lambda machine, folder: [*backup()(machine, folder), machine.folder / "data" / "folder"],
        says=("data/folder lies inside source", "name only the outer one"),
    ),
    # ---- devices
    "no device": Refusal(
        command=lambda machine, folder: ["backup", machine.folder / "data"],
        says=("no device is named", "--device NAME=PATH"),
    ),
    "one folder under two names": Refusal(
        command=one_folder_twice, says=("devices a and c are the same folder", "its own folder")
    ),
    "one folder under two names, by a symlink": Refusal(
        command=one_folder_twice_by_symlink, says=("devices a and c are the same folder",)
    ),
    "one name for two folders": Refusal(
        command=lambda machine, folder: [*backup()(machine, folder), f"--device=a={folder}"],
        says=("'a' is named twice", "{folder}"),
    ),
    "a device in a device": Refusal(command=device_in_device, says=("device c", "lies inside device a")),
    "a device without a path": Refusal(command=backup("--device=c"), says=("'c' is not NAME=PATH",)),
    "a device with an odd name": Refusal(command=backup("--device=c d=/x"), says=("'c d=/x' is not NAME=PATH",)),
    "a device folder that is not empty": Refusal(
        command=with_device(not_empty),
        exit_code=10,
        code="not-a-device",
        says=("device c: {folder}/c is not empty and has no segfleet.json", "name an empty folder"),
    ),
    "a device folder that is not there": Refusal(
        command=with_device(lambda machine, device: None),
        exit_code=10,
        code="not-a-device",
        says=("device c: {folder}/c", "mount the disk, make the folder"),
    ),
    "a file as device": Refusal(
        command=with_device(lambda _machine, device: device.write_bytes(b"mine")),
        exit_code=10,
        code="not-a-device",
        says=("device c: {folder}/c", "folder"),
    ),
    "a marker of another pool": Refusal(
        command=with_marker(of_another_pool),
        exit_code=10,
        code="not-a-device",
        says=("different pools", "pool ffffffff: c", "name the devices of one pool only"),
    ),
    "a marker of a newer format": Refusal(
        command=with_marker(newer), exit_code=10, code="not-a-device", says=("device c: {folder}/c", "99", "release")
    ),
    "a damaged marker": Refusal(
        command=with_marker(lambda marker: marker[:20]),
        exit_code=10,
        code="not-a-device",
        says=("device c: {folder}/c", "segfleet.json"),
    ),
    "an empty marker": Refusal(
        command=with_marker(lambda marker: ""), exit_code=10, code="not-a-device", says=("device c: {folder}/c",)
    ),
    # ---- sizes, names, numbers
    "a size in MB": Refusal(command=backup("--segment-size=5MB"), says=("'5MB' is not a size", "24MiB")),
    "a size without a number": Refusal(command=backup("--segment-size=MiB"), says=("'MiB' is not a size",)),
    "a negative size": Refusal(command=backup("--segment-size=-5MiB"), says=("'-5MiB' is not a size",)),
    "a segment size of nothing": Refusal(command=backup("--segment-size=0"), says=("--segment-size", "0 is outside")),
    "a size beyond all bounds": Refusal(command=backup("--segment-size=9999999TiB"), says=("outside",)),
    "a unit that is too small": Refusal(command=backup("--unit-size=1KiB"), says=("--unit-size", "1KiB is outside")),
    "a unit of broken blocks": Refusal(
        command=backup("--unit-size=100001"), says=("not a multiple of the block size", "4 KiB")
    ),
    "a level that zstd does not have": Refusal(command=backup("--level=23"), says=("--level", "23")),
    "no threads": Refusal(command=backup("--threads=0"), says=("--threads", "0")),
    "an unknown option": Refusal(command=backup("--fast"), says=("--fast",)),
    "an unknown command": Refusal(command=on_backup("bakcup"), says=("bakcup",)),
    "a volume with an odd name": Refusal(command=backup("--volume=a/b"), says=("'a/b' is not a valid volume name",)),
    "an exclude file that is not there": Refusal(
        command=lambda machine, folder: [*backup()(machine, folder), "--exclude-file", folder / "none"],
        says=("{folder}/none",),
    ),
    "a configuration file that is not there": Refusal(
        command=lambda machine, folder: [*backup()(machine, folder), "--config", folder / "none.toml"],
        says=("{folder}/none.toml",),
    ),
    "a configuration with an unknown key": Refusal(
        command=configured("[defaults]\nlevl = 3\n"), says=("{folder}/segfleet.toml", "levl", "level")
    ),
    "a configuration that is no TOML": Refusal(command=configured("[defaults\n"), says=("{folder}/segfleet.toml",)),
    # ---- snapshots and targets
    "an unknown snapshot": Refusal(
        command=on_backup("restore", "0123456789abcdef", "--target", "out"), says=("0123456789abcdef", "snapshots")
    ),
    "an unknown snapshot to list": Refusal(command=on_backup("ls", "0123456789abcdef"), says=("0123456789abcdef",)),
    "an unknown snapshot to check": Refusal(command=on_backup("check", "0123456789abcdef"), says=("0123456789abcdef",)),
    "no name of a snapshot": Refusal(command=on_backup("ls", "yesterday"), says=("yesterday", "latest")),
    "a path that the snapshot does not have": Refusal(
        command=on_backup("restore", "latest:data/nothing", "--target", "out"), says=("data/nothing", "segfleet ls")
    ),
    "patterns that nothing fits": Refusal(
        command=on_backup("restore", "latest", "--target", "out", "--include=*.iso"), says=("patterns", "segfleet ls")
    ),
    "no target": Refusal(command=on_backup("restore", "latest"), says=("--target",)),
    "an empty name as target": Refusal(
        command=on_backup("restore", "latest", "--target", ""), says=("is empty", "variable")
    ),
    "a target that is not empty": Refusal(
        command=target_not_empty,
        exit_code=1,
        code="target-not-empty",
        says=("{folder}/target is not empty", "'mine'", "--overwrite"),
    ),
    "a file as target": Refusal(command=target_is_a_file, exit_code=1, code="target", says=("{folder}/target",)),
    "a target in a device": Refusal(command=target_in_device, says=("lies inside device a", "another folder")),
    "a restore from folders that are no devices": Refusal(
        command=devices_without_a_marker, exit_code=10, code="not-a-device", says=("{folder}/empty", "mount")
    ),
    "an unknown way to overwrite": Refusal(
        command=on_backup("restore", "latest", "--target", "out", "--overwrite=maybe"), says=("maybe", "if-changed")
    ),
    "a subset that is none": Refusal(command=on_backup("check", "--read-data-subset=3/2"), says=("'3/2'", "n/t")),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_bad_input_is_refused_in_clear_words_and_changes_nothing(holder: Machine, name: str) -> None:
    refusal = REFUSALS[name]
    folder = holder.folder / f"case-{list(REFUSALS).index(name)}"
    folder.mkdir()
    arguments = refusal.command(holder, folder)
    before, around = what_is_in(holder.folder / "devices"), what_is_in(folder)

    done = holder.run(*arguments, "--json")

    assert_refused(done.exit_code, done.stderr, refusal, folder)
    assert done.errors[-1]["code"] == refusal.code
    assert done.errors[-1]["message"] in done.stderr
    assert differences(before, what_is_in(holder.folder / "devices")) == []
    assert differences(around, what_is_in(folder)) == []
    assert not (holder.folder / "out").exists()


def what_is_in(folder: Path) -> dict[bytes, Look]:
    """As look_at, but for the times of folders: a device is probed with a file that is removed at once."""
    return {path: replace(look, mtime_ns=0) if look.kind == "d" else look for path, look in look_at(folder).items()}


def assert_refused(exit_code: int, stderr: str, refusal: Refusal, folder: Path) -> None:
    assert exit_code == refusal.exit_code, stderr
    assert "Traceback" not in stderr
    assert "internal error" not in stderr
    for words in refusal.says:
        assert words.format(folder=folder) in stderr
    *_, message, hint = stderr.splitlines()
    assert message.startswith("segfleet: ")
    assert hint.startswith("  "), "no hint says what to do"


# ---- the broker and the state folder


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this host that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("variable", [True, False], ids=["by the environment", "by the file"])
def test_a_broker_that_is_not_there_is_named_without_its_password(
    holder: Machine, closed_port: int, variable: bool
) -> None:
    url = f"redis://fleet:s3cr3t@127.0.0.1:{closed_port}/0"
    configuration = holder.folder / "broker.toml"
    configuration.write_text("" if variable else f'[broker]\nurl = "{url}"\n')
    settings = {"SEGFLEET_BROKER_URL": url} if variable else {}
    arguments: list[str | Path] = [
        "backup",
        holder.folder / "data",
        *holder.devices("a b"),
        "--json",
        "--config",
        configuration,
    ]

    done = holder.start(*arguments, **settings).wait(deadline_s=30)

    assert done.exit_code == 1
    assert done.errors[-1]["code"] == "broker"
    assert f"redis://fleet:***@127.0.0.1:{closed_port}/0" in done.stderr
    assert "s3cr3t" not in done.stderr + done.stdout.decode()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["http://fleet:s3cr3t@localhost/", "redis://fleet:s3cr3t@localhost:port/0", "s3cr3t@"])
def test_a_broker_url_that_does_not_parse_is_refused_without_its_password(holder: Machine, url: str) -> None:
    done = holder.run("backup", holder.folder / "data", *holder.devices("a b"), SEGFLEET_BROKER_URL=url)

    assert done.exit_code == 1
    assert "broker" in done.stderr
    assert url.startswith("s3cr3t") or "s3cr3t" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_folder_whose_socket_would_have_too_long_a_path_is_refused(holder: Machine) -> None:
    long = holder.folder / ("x" * 120)

    done = holder.run("backup", holder.folder / "data", *holder.devices("a b"), SEGFLEET_STATE=str(long))

    assert done.exit_code == 1
    assert f"{long}/broker/broker.sock" in done.stderr
    assert "107" in done.stderr
    assert "set SEGFLEET_STATE to a folder with a shorter path" in done.stderr


def test_a_state_folder_that_cannot_be_made_is_refused(holder: Machine) -> None:
    (holder.folder / "in the way").write_bytes(b"")

    done = holder.run("snapshots", SEGFLEET_STATE=str(holder.folder / "in the way" / "state"))

    assert done.exit_code == 1
    assert "cannot make the state folder" in done.stderr
    assert "set SEGFLEET_STATE" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_catalog_that_is_no_database_is_refused_and_kept(machine: Machine) -> None:
    machine.state.mkdir()
    (machine.state / "catalog.sqlite").write_bytes(b"not a database, but not to be lost" * 100)

    done = machine.run("snapshots")

    assert done.exit_code == 1
    assert str(machine.state / "catalog.sqlite") in done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert (machine.state / "catalog.sqlite").read_bytes().startswith(b"not a database")


def test_latest_of_no_snapshots_is_refused(machine: Machine) -> None:
    done = machine.run("restore", "latest", "--target", "out", *machine.devices("a"))

    assert done.exit_code == 2
    assert "snapshot" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (machine.folder / "out").exists()


# ---- devices that cannot be written, or are in use


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make ``folder`` a read-only mount of itself."""
    need_root("mount")
    with ExitStack() as stack:
        for options in (["--bind"], ["-o", "remount,ro,bind"]):
            mounted = subprocess.run(["mount", *options, folder, folder], capture_output=True, check=False)
            need(not mounted.returncode, f"mount is not allowed here: {mounted.stderr.decode()}")
            if options == ["--bind"]:
                stack.callback(lambda: subprocess.run(["umount", "--lazy", folder], check=True))
        yield


def test_a_new_device_that_cannot_be_written_is_refused(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")
    devices = machine.devices("a b")

    with read_only(machine.device("b")):
        done = machine.run("backup", source, *devices)

    assert done.exit_code == 10
    assert f"device b: {machine.device('b')}" in done.stderr
    assert "Read-only file system" in done.stderr
    assert list(machine.device("a").iterdir()) == []


def test_a_known_device_that_has_become_read_only_is_named_and_can_be_restored_from(machine: Machine) -> None:
    # Some of it on each device.
    source = Tree({name: noise(40_000, seed=ord(name)) for name in "wxyz"}).make(machine.folder / "data")
    devices = machine.devices("a b")
    machine.succeed("backup", source, *devices)
    before = look_at(machine.device("b"))

    with read_only(machine.device("b")):
        done = machine.run("backup", source, *devices, "--json")

        listed = machine.succeed("devices", "--json").rows_of("device")
        machine.succeed("restore", "latest", "--target", machine.folder / "target")

    assert done.exit_code == 0
    assert [error["code"] for error in done.errors] == ["device-read-only"]
    assert f"device b is read-only: {machine.device('b')}: Read-only file system" in done.errors[0]["message"]
    assert done.summary["devices"]["b"]["state"] == "read-only"
    assert done.summary["incomplete"] == []
    assert differences(before, machine.device("b")) == []
    assert {row["name"]: row["state"] for row in listed} == {"a": "live", "b": "read-only"}
    told = machine.succeed("status", "--json").rows_of("device")
    assert {row["name"]: row["state"] for row in told} == {"a": "live", "b": "read-only"}
    assert differences(source, machine.folder / "target" / "data") == []
    # Once it can be written, the next backup uses it again.
    again = machine.succeed("backup", source, *devices, "--json")
    assert again.summary["devices"]["b"]["state"] == "live"


def test_a_known_device_that_is_not_mounted_does_not_become_a_new_one(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")
    with small_disk(machine.device("b")) as disk:
        devices = [*machine.devices("a b"), "--reserve=64KiB"]
        machine.succeed("backup", source, *devices)
        disk.unmount()

        done = machine.run("backup", source, *devices, "--json")

        assert done.exit_code == 0
        assert [error["code"] for error in done.errors] == ["device-absent"]
        assert "is the device mounted?" in done.errors[0]["message"]
        known = machine.succeed("status", "--json").rows_of("device")
        assert {row["name"]: row["state"] for row in known} == {"a": "live", "b": "absent"}
        assert list(machine.device("b").iterdir()) == []
        disk.mount()


def test_a_device_may_get_a_new_name_but_not_that_of_another(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a b"))

    swapped = machine.run("backup", source, f"--device=a={machine.device('b')}")
    renamed = machine.succeed("backup", source, f"--device=attic={machine.device('b')}", *machine.devices("a"))

    assert swapped.exit_code == 10
    assert "device a: its folder is that of device b, and a is another device" in swapped.stderr
    assert "device b is now called attic" in renamed.stderr


def test_reading_says_which_folders_belong_to_another_pool(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("other"), "--volume=other")
    machine.succeed("backup", source, *machine.devices("a b"))
    mistaken = f"--device=a={machine.device('other')}"

    alone = machine.run("restore", "data@latest", "--target", "out", mistaken)
    beside = machine.run("restore", "data@latest", "--target", "out", mistaken, *machine.devices("b"))

    assert alone.exit_code == 10
    assert "holds device other of another pool" in alone.stderr
    assert "device a is absent" in beside.stderr
    assert "of another pool" in beside.stderr


def test_a_known_device_whose_folder_is_empty_is_absent_also_on_the_same_file_system(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")
    devices = machine.devices("a b")
    machine.succeed("backup", source, *devices)
    machine.device("b").rename(machine.folder / "old")
    machine.device("b").mkdir()

    done = machine.succeed("backup", source, *devices, "--json")

    assert [error["code"] for error in done.errors] == ["device-absent"]
    assert list(machine.device("b").iterdir()) == []
    rows = machine.succeed("devices", "--json").rows_of("device")
    assert {row["name"]: row["state"] for row in rows} == {"a": "live", "b": "absent"}


def test_a_new_device_is_told_once_and_refused_where_only_known_ones_may_be_used(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")
    devices = machine.devices("a b")

    refused = machine.run("backup", source, *devices, "--known-devices-only")
    first = machine.succeed("backup", source, *devices, "--json")
    second = machine.succeed("backup", source, *devices, "--known-devices-only", "--json")
    machine.limit("a b c", None, also="[defaults]\nnew-devices = false\n")
    machine.device("c").mkdir()
    by_file = machine.run("plan", source)
    by_flag = machine.succeed("backup", source, "--new-devices", "--json")

    assert (refused.exit_code, by_file.exit_code) == (10, 10)
    assert f"a: {machine.device('a')}; b: {machine.device('b')}" in refused.stderr
    assert f"device a is new: {machine.device('a')}, on the file system at " in first.stderr
    assert "is new" not in second.stderr
    assert [new_devices(done) for done in (first, second, by_flag)] == [{"a", "b"}, set(), {"c"}]


def new_devices(done: Done) -> set[str]:
    return {name for name, device in done.summary["devices"].items() if device["new"]}


def test_a_device_in_use_is_refused_and_its_user_named(machine: Machine) -> None:
    source = Tree({"file": noise(6 * 2**20)}).make(machine.folder / "data")
    devices = machine.devices("a b")
    machine.limit("a b", "64KiB")
    brake = Brake(machine.folder / "brake")
    first = machine.start("backup", source, *devices, "--json", **brake.settings)
    first.wait_until_storing()

    second = machine.run("backup", source, *devices, "--volume=other", "--json")
    brake.release()

    assert second.exit_code == 11
    assert second.errors[-1]["code"] == "locked"
    assert "device a is in use by backup of data" in second.stderr
    assert f"pid {first.pid}" in second.stderr
    assert first.wait().exit_code == 0


def test_one_device_only_is_allowed_with_a_note(machine: Machine) -> None:
    source = Tree({"file": b"1"}).make(machine.folder / "data")

    done = machine.succeed("backup", source, *machine.devices("a"))

    assert "nothing is striped" in done.stderr
