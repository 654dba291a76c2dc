"""Backs up a real tree to three devices, kills one in the middle, checks, restores, and compares everything.

Runs nothing but the installed command ``segfleet``; all it makes lies in one temporary folder, which it removes.
The tree is this interpreter's standard library and its installed packages, and a tar file of the former:
thousands of small files, and a large one that is split over all devices.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

SEGFLEET = Path(sys.executable).with_name("segfleet")
DEVICES = ("a", "b", "c")
#: The device that dies.
VICTIM = "b"


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="segfleet-demo-"))
    try:
        return show(folder)
    finally:
        shutil.rmtree(folder)


def show(folder: Path) -> int:
    source, target = folder / "source", folder / "restored"
    say(f"copying a real tree to {source}")
    make_tree(source)
    devices = [f"--device={name}={make_folder(folder / name)}" for name in DEVICES]
    # A state folder of its own: the demo leaves the user's catalog alone.
    environment = {**os.environ, "SEGFLEET_STATE": str(folder / "state")}

    backup, backup_s = back_up_and_kill(environment, folder / VICTIM, str(source), *devices)
    check, check_s = run(environment, "check", "--read-data", *devices)
    restore, restore_s = run(environment, "restore", "latest", f"--target={target}", *devices)
    say("comparing every byte and all metadata")
    entries, differences = compare(source, target / source.name)

    print_devices(backup)
    print_steps(
        ("backup", backup["files"], backup["bytes_source"], backup_s),
        ("check --read-data", backup["files"], check["bytes_read"], check_s),
        ("restore", restore["files"], restore["bytes_restored"], restore_s),
    )
    for difference in differences[:20]:
        print(f"DIFFERENT: {difference}")
    print(f"{len(entries)} entries compared, {len(differences)} differ")
    return 1 if differences else 0


def make_tree(source: Path) -> None:
    library, packages = Path(sysconfig.get_path("stdlib")), Path(sysconfig.get_path("purelib"))
    shutil.copytree(library, source / "library", symlinks=True, ignore=shutil.ignore_patterns("site-packages"))
    shutil.copytree(packages, source / "packages", symlinks=True)
    with tarfile.open(source / "library.tar", "w") as archive:
        archive.add(source / "library", "library")
    (source / "empty folder").mkdir()
    (source / "empty file").touch()
    (source / "a name\nof two lines").write_text("such names are allowed")
    (source / "symlink").symlink_to("library/os.py")
    (source / "hard link").hardlink_to(source / "library.tar")


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def back_up_and_kill(environment: dict[str, str], victim: Path, *arguments: str) -> tuple[dict[str, Any], float]:
    """As :func:`run` for ``backup``; the victim's worker is killed when it has stored its first segment."""
    command = ["backup", *arguments, "--segment-size=8MiB"]
    say("segfleet " + " ".join(command))
    start = time.monotonic()
    running = subprocess.Popen([SEGFLEET, *command, "--json"], env=environment, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    rows = []
    for line in running.stdout:
        rows.append(json.loads(line))
        if rows[-1]["message_type"] == "worker" and rows[-1]["device"] == VICTIM:
            threading.Thread(target=kill_when_it_stores, args=(rows[-1]["pid"], victim), daemon=True).start()
        if rows[-1]["message_type"] == "error":
            say(f"segfleet says: {rows[-1]['message']}")
    if running.wait():
        raise SystemExit(f"segfleet backup ended with exit code {running.returncode}")
    return rows[-1], time.monotonic() - start


def kill_when_it_stores(pid: int, device: Path) -> None:
    while not any(device.glob("segments/*/*.seg")):
        time.sleep(0.001)
    say(f"killing the worker of device {VICTIM}, process {pid}")
    os.kill(pid, signal.SIGKILL)


def run(environment: dict[str, str], *arguments: str) -> tuple[dict[str, Any], float]:
    """Run ``segfleet`` with ``--json``; its summary, and the seconds that the whole command took."""
    say("segfleet " + " ".join(arguments))
    start = time.monotonic()
    done = subprocess.run(
        [SEGFLEET, *arguments, "--json"], env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    duration_s = time.monotonic() - start
    if done.returncode:
        raise SystemExit(f"segfleet {arguments[0]} ended with exit code {done.returncode}")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["message_type"] == "summary"
    return summary, duration_s


def compare(source: Path, restored: Path) -> tuple[dict[str, Path], list[str]]:
    """The entries of both trees, and what differs between them."""
    before, after = entries_of(source), entries_of(restored)
    differences = [f"{name}: only on one side" for name in sorted(before.keys() ^ after.keys())]
    for name in sorted(before.keys() & after.keys()):
        for what, old, new in differing(before[name], after[name]):
            differences.append(f"{name}: {what} was {old}, is {new}")
    if names_by_file(before) != names_by_file(after):
        differences.append("files have other hard links")
    return before, differences


def entries_of(root: Path) -> dict[str, Path]:
    paths = [root]
    for folder, folders, files in os.walk(root):
        paths += [Path(folder, name) for name in folders + files]
    return {os.path.relpath(path, root): path for path in paths}


def differing(old: Path, new: Path) -> list[tuple[str, object, object]]:
    before, after = old.lstat(), new.lstat()
    pairs = [
        ("mode", oct(before.st_mode), oct(after.st_mode)),
        ("owner", (before.st_uid, before.st_gid), (after.st_uid, after.st_gid)),
        ("time", before.st_mtime_ns, after.st_mtime_ns),
    ]
    if stat.S_ISLNK(before.st_mode) and stat.S_ISLNK(after.st_mode):
        pairs.append(("link", str(old.readlink()), str(new.readlink())))
    if stat.S_ISREG(before.st_mode) and stat.S_ISREG(after.st_mode) and not same_bytes(old, new):
        pairs.append(("content", f"{before.st_size} bytes", f"{after.st_size} other bytes"))
    return [(what, was, now) for what, was, now in pairs if was != now]


def same_bytes(old: Path, new: Path) -> bool:
    with old.open("rb") as left, new.open("rb") as right:
        while True:
            chunk = left.read(1 << 20)
            if chunk != right.read(1 << 20):
                return False
            if not chunk:
                return True


def names_by_file(entries: dict[str, Path]) -> set[frozenset[str]]:
    """The sets of names that share one file (hard links)."""
    names: dict[tuple[int, int], set[str]] = {}
    for name, path in entries.items():
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            names.setdefault((status.st_dev, status.st_ino), set()).add(name)
    return {frozenset(shared) for shared in names.values()}


def print_devices(summary: dict[str, Any]) -> None:
    print(f"\n{'device':<8}{'state':>6}{'segments':>10}{'source MiB':>12}{'stored MiB':>12}")
    for name, device in summary["devices"].items():
        source_mib, stored_mib = device["bytes_source"] / 2**20, device["bytes_stored"] / 2**20
        print(f"{name:<8}{device['state']:>6}{device['segments']:>10}{source_mib:>12.1f}{stored_mib:>12.1f}")
    moved, all_of_them = summary["segments_rerouted"], summary["segments"]
    print(f"{moved} of {all_of_them} segments moved from device {VICTIM} to the others")


def print_steps(*steps: tuple[str, int, int, float]) -> None:
    print(f"\n{'step':<20}{'files':>8}{'MiB':>10}{'seconds':>10}")
    for step, files, size_bytes, duration_s in steps:
        print(f"{step:<20}{files:>8}{size_bytes / 2**20:>10.1f}{duration_s:>10.1f}")
    print()


def say(text: str) -> None:
    print(f"-- {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
