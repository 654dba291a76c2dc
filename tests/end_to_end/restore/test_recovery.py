"""docs/recovery.md: a snapshot from its devices, by the script on that page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.compare import differences
from kit.models.in_process import in_process
from kit.needs import program
from kit.program.machine import Machine
from kit.repository import REPOSITORY
from kit.stored.segments import header_of
from kit.tree import Device, Entries, Fifo, File, Folder, HardLink, SparseFile, Symlink, Tree, noise

PAGE = (REPOSITORY / "docs/recovery.md").read_text()
ENTRIES: Entries = {
    "pieces": noise(900_000),
    "bundle/a": noise(9_000, seed=3),
    "bundle/b": File(noise(9_000, seed=4), mode=0o640),
    "bundle/link to a": HardLink("bundle/a"),
    "symbolic": Symlink("bundle/a", mtime_ns=1_500_000_000_000_000_001),
    "empty": b"",
    "hole": SparseFile(5_000_000, {2_000_000: b"island", 2_200_000: noise(300_000, seed=5)}),
    "small holes": SparseFile(200_000, {100_000: b"island"}),
    "attributes": File(b"2", attributes={"user.bytes": b"\0\xff"}),
    "fifo": Fifo(),
    "folder": Folder(mode=0o1777, attributes={"user.x": b"y"}),
    "early": File(b"", mtime_ns=-1),
    b"not utf-8 \xff/\xfe": b"3",
    **({"null": Device("character", 1, 3), "owner": File(b"4", owner=(1234, 5678))} if os.geteuid() == 0 else {}),
}


def block(language: str) -> str:
    """The last one of the page."""
    return str(re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[-1])


@pytest.fixture(scope="module")
def stored(shared_machine: Machine) -> Machine:
    """Two snapshots on two devices: of two sources, and of a raw volume."""
    folder = shared_machine.folder
    sources = [Tree(ENTRIES).make(folder / "data"), Tree({"other": b"source"}).make(folder / "more")]
    options = ("--segment-size=256KiB", "--unit-size=64KiB", "--bundle=on", *shared_machine.devices("a b"))
    shared_machine.succeed("backup", *sources, "--volume=both", *options)
    image = folder / "disk.img"
    image.write_bytes(noise(700_000) + bytes(500_000) + noise(123_457))
    shared_machine.succeed("backup", image, "--mode=raw", *options)
    return shared_machine


@pytest.fixture(scope="module")
def recover(stored: Machine) -> list[str]:
    """The script of the page, with nothing but Python's standard library; its devices are named."""
    script = stored.folder / "recover.py"
    script.write_text(block("python"))
    return [sys.executable, "-I", "-S", str(script), *(str(stored.device(name)) for name in "ab")]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    path = str(Path(program("zstd")).parent)
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


def snapshot_of(stored: Machine, volume: str) -> str:
    rows = stored.succeed("snapshots", "--json").rows
    return str(next(row["snapshot_id"][:8] for row in rows if row["volume"] == volume))


def test_the_script_lists_the_snapshots_and_restores_one_whole(
    stored: Machine, recover: list[str], tmp_path: Path
) -> None:
    listed = run(*recover)
    assert re.search(rf"^{snapshot_of(stored, 'both')}\S+ \S+ both \(data, more\) on a b$", listed.stdout, re.MULTILINE)
    assert len(listed.stdout.splitlines()) == 2

    done = run(*recover, "--snapshot", snapshot_of(stored, "both"), "--target", tmp_path / "out")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert differences(stored.folder / "data", tmp_path / "out" / "data", holes=True) == []
    assert differences(stored.folder / "more", tmp_path / "out" / "more") == []


def test_the_script_restores_the_image_of_a_raw_volume(stored: Machine, recover: list[str], tmp_path: Path) -> None:
    volume = next(row["volume"] for row in stored.succeed("snapshots", "--json").rows if row["volume"] != "both")

    done = run(*recover, "--snapshot", snapshot_of(stored, volume), "--target", tmp_path / "out")

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "disk.img").read_bytes() == (stored.folder / "disk.img").read_bytes()


def test_the_script_restores_a_file_in_more_places_than_fit_into_its_entry(recover: list[str], tmp_path: Path) -> None:
    root = Tree({"many": noise(5_000_000), "few": b"1"}).make(tmp_path / "src")
    with in_process(tmp_path) as made:
        snapshot = made.back_up({"src": root}).snapshot_id
        assert snapshot is not None
    devices = [str(tmp_path / "devices" / name) for name in "ab"]

    done = run(*recover[:4], *devices, "--snapshot", snapshot, "--target", tmp_path / "out")

    assert (done.returncode, done.stderr) == (0, "")
    assert differences(root, tmp_path / "out" / "src") == []


def test_the_script_restores_one_path(stored: Machine, recover: list[str], tmp_path: Path) -> None:
    options = ("--snapshot", snapshot_of(stored, "both"), "--only", "data/bundle")

    done = run(*recover, *options, "--target", tmp_path / "out")

    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(tmp_path / "out") == ["data"] and os.listdir(tmp_path / "out" / "data") == ["bundle"]
    assert differences(stored.folder / "data" / "bundle", tmp_path / "out" / "data" / "bundle") == []


def test_the_script_names_what_is_damaged_and_restores_all_else(
    stored: Machine, recover: list[str], tmp_path: Path
) -> None:
    gone, damaged = segment_with(stored, "bundle/a"), segment_with(stored, "pieces")
    kept = {segment: segment.read_bytes() for segment in (gone, damaged)}
    expected = {*header_of(gone)["extents"]["paths"], "pieces", "bundle/link to a"}
    gone.unlink()
    half = len(kept[damaged]) // 2
    damaged.write_bytes(kept[damaged][:half] + bytes([kept[damaged][half] ^ 1]) + kept[damaged][half + 1 :])
    try:
        done = run(*recover, "--snapshot", snapshot_of(stored, "both"), "--target", tmp_path / "out")
    finally:
        for segment, content in kept.items():
            segment.write_bytes(content)

    assert done.returncode == 1
    named = {line.split("'")[1].rpartition("/out/data/")[2] for line in done.stderr.splitlines()}
    assert named == {repr(path)[1:-1] for path in expected}
    out = tmp_path / "out" / "data"
    assert all((out / f"{path}.damaged").exists() and not (out / path).exists() for path in ("bundle/a", "pieces"))
    for path in ("hole", "fifo", "empty"):
        assert differences(stored.folder / "data" / path, out / path) == []


def segment_with(stored: Machine, path: str) -> Path:
    """The first stored segment that holds bytes of ``path``."""
    return next(segment for segment in stored.segments_on() if path in header_of(segment)["extents"]["paths"])


def test_one_file_is_cut_out_of_a_segment_with_zstd_and_dd(stored: Machine, tmp_path: Path) -> None:
    segment = segment_with(stored, "bundle/b")
    environment = {"PATH": os.environ["PATH"], "segment": str(segment), "path": "bundle/b"}

    subprocess.run(["sh", "-euc", block("sh")], cwd=tmp_path, env=environment, check=True)

    assert (tmp_path / "file").read_bytes() == (stored.folder / "data/bundle/b").read_bytes()


def test_the_script_finds_what_was_stored_again_also_when_no_index_is_left(recover: list[str], tmp_path: Path) -> None:
    root = Tree({"changed": b"before", "kept": noise(300_000), "other": b"kept too"}).make(tmp_path / "src")
    snapshots = []
    with in_process(tmp_path) as made:
        made.ignore_ctime = True
        for content in (b"before", b"later!"):
            (root / "changed").write_bytes(content)
            for path in [root, *root.rglob("*")]:
                os.utime(path, (10**9, 10**9))
            for stored_object in (tmp_path / "devices").glob("*/segments/*/*.seg"):
                stored_object.unlink()
            snapshots.append(str(made.back_up({"src": root}, bundle="on").snapshot_id))
    devices = [str(tmp_path / "devices" / name) for name in "ab"]

    old = run(*recover[:4], *devices, "--snapshot", snapshots[0], "--target", tmp_path / "old")
    for head in (tmp_path / "devices").glob("*/manifests/*.manifest"):
        for part in json.loads(head.read_bytes())["parts"]:
            if part["kind"] == "index":
                (head.parent / part["name"]).unlink()
    new = run(*recover[:4], *devices, "--snapshot", snapshots[1], "--target", tmp_path / "new")

    # What was changed in between is on no device any more.
    assert (old.returncode, sorted(path.name for path in (tmp_path / "old" / "src").iterdir())) == (
        1,
        ["changed.damaged", "kept", "other"],
    )
    assert (tmp_path / "old" / "src" / "kept").read_bytes() == (root / "kept").read_bytes()
    assert (new.returncode, new.stderr) == (0, "")
    assert differences(root, tmp_path / "new" / "src") == []
