"""Every cell of the table in docs/restore.md, and what else that page promises."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from kit.program.command import Done
from kit.program.machine import Machine
from kit.repository import REPOSITORY
from kit.tree import Entry, Fifo, File, Folder, HardLink, Symlink, Tree, noise

OPTIONS = ("always", "if-changed", "if-newer", "never")
NEWER_NS, NEW_NS, OLD_NS = 1_700_000_000_000_000_000, 1_600_000_000_000_000_000, 1_000_000_000_000_000_000


class Row(NamedTuple):
    there: str
    has: str
    results: dict[str, str]


def rows() -> list[Row]:
    text = (REPOSITORY / "docs/restore.md").read_text()
    table = re.search(r"\| what is there .*\n\|---.*\n((?:\|.*\n)+)", text)
    assert table
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    return [Row(there, has, dict(zip(OPTIONS, results, strict=True))) for there, has, *results in cells]


#: What stands for a word of the second column; a file is walked small, in a bundle, and large, in pieces.
HAS: dict[str, Entry] = {
    "small": File(b"snapshot", mode=0o640, mtime_ns=NEW_NS),
    "large": File(noise(400_000), mode=0o640, mtime_ns=NEW_NS),
    "empty": File(b"", mode=0o640, mtime_ns=NEW_NS),
    "folder": Folder(mode=0o750, mtime_ns=NEW_NS),
    "symlink": Symlink("snapshot", mtime_ns=NEW_NS),
    "FIFO": Fifo(mode=0o640, mtime_ns=NEW_NS),
    "hard link": HardLink("first"),
}


def forms(has: str) -> list[str]:
    return ["small", "large", "empty"] if has == "file" else [has]


def put(place: Path, there: str, form: str) -> None:
    """Make what a word of the first column means."""
    if there.startswith("same file"):
        new = HAS[form]
        assert isinstance(new, File)
        # Other bytes, so that what is written again can be told from what stays.
        place.write_bytes(new.content.swapcase())
        place.chmod(0o604 if there.endswith("other mode") else new.mode)
        os.utime(place, ns=(NEW_NS, NEW_NS))
        return
    match there.removeprefix("newer ").removeprefix("other "):
        case "nothing":
            return
        case "file":
            place.write_bytes(b"mine, older")
            place.chmod(0o604)
        case "folder":
            place.mkdir(mode=0o705)
            (place / "mine").write_bytes(b"mine")
        case "symlink":
            place.symlink_to("mine")
        case "same symlink":
            place.symlink_to("snapshot")
        case "FIFO":
            os.mkfifo(place, 0o604)
    time_ns = NEWER_NS if there.startswith("newer") else OLD_NS
    os.utime(place, ns=(time_ns, time_ns), follow_symlinks=False)


class Look(NamedTuple):
    kind: int
    mode: int
    mtime_ns: int
    content: bytes


def look_at(place: Path) -> Look | None:
    try:
        found = place.lstat()
    except FileNotFoundError:
        return None
    content = b""
    if stat.S_ISREG(found.st_mode):
        content = place.read_bytes()
    elif stat.S_ISLNK(found.st_mode):
        content = os.fsencode(os.readlink(place))
    elif stat.S_ISDIR(found.st_mode):
        content = b"".join(sorted(os.fsencode(path.name) for path in place.iterdir()))
    mode = 0 if stat.S_ISLNK(found.st_mode) else stat.S_IMODE(found.st_mode)
    return Look(stat.S_IFMT(found.st_mode), mode, found.st_mtime_ns, content)


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What a restore over all rows said, what a dry run had said before, where it went, and what was there before."""

    done: Done
    preview: Done
    data: Path
    before: dict[str, Look | None]


@pytest.fixture(scope="module")
def walked(shared_machine: Machine) -> dict[str, Walked]:
    """By the option."""
    names = {f"{number} {form}": HAS[form] for number, row in enumerate(rows()) for form in forms(row.has)}
    source = Tree({"first": File(b"first", mode=0o640, mtime_ns=NEW_NS), **names}).make(shared_machine.folder / "data")
    shared_machine.succeed("backup", source, *shared_machine.devices("a b"), "--segment-size=128KiB")
    found = {}
    for option in OPTIONS:
        target = shared_machine.folder / "targets" / option
        (target / "data").mkdir(parents=True)
        before = {}
        for number, row in enumerate(rows()):
            for form in forms(row.has):
                place = target / "data" / f"{number} {form}"
                put(place, row.there, form)
                before[place.name] = look_at(place)
        command = ("restore", "latest", "--target", target, "--overwrite", option, "--json")
        preview = shared_machine.run(*command, "--dry-run")
        assert {name: look_at(target / "data" / name) for name in before} == before
        found[option] = Walked(done=shared_machine.run(*command), preview=preview, data=target / "data", before=before)
    return found


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize(("number", "row"), [*enumerate(rows())], ids=lambda item: str(item)[:60])
def test_what_is_there_becomes_what_the_table_says(
    shared_machine: Machine,
    walked: dict[str, Walked],
    option: str,
    number: int,
    row: Row,
) -> None:
    done, data, before = walked[option].done, walked[option].data, walked[option].before
    for form in forms(row.has):
        name = f"{number} {form}"
        snapshot, old, now = look_at(shared_machine.folder / "data" / name), before[name], look_at(data / name)
        assert snapshot is not None
        result = row.results[option]
        told = {error["path"] for error in done.errors}
        assert (f"data/{name}" in told) == (result == "refused"), done.errors
        if result == "new":
            assert now == snapshot
        elif result == "mended":
            assert old is not None
            assert now == snapshot._replace(content=old.content)
        else:
            assert now == old


@pytest.mark.parametrize("option", OPTIONS)
def test_a_dry_run_says_before_what_the_table_says(walked: dict[str, Walked], option: str) -> None:
    preview = walked[option].preview
    actions = {row["path"]: row["action"] for row in preview.rows if row["message_type"] == "entry"}
    for number, row in enumerate(rows()):
        new = "new" if row.there == "nothing" else "replaced"
        for form in forms(row.has):
            result = row.results[option]
            assert actions[f"data/{number} {form}"] == (new if result == "new" else result), row
    refused = any(row.results[option] == "refused" for row in rows())
    assert preview.exit_code == (3 if refused else 0)
    assert preview.summary["dry_run"] is True


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_refused_makes_the_restore_partial_and_nothing_temporary_stays(
    walked: dict[str, Walked], option: str
) -> None:
    done, data = walked[option].done, walked[option].data
    refused = any(row.results[option] == "refused" for row in rows())
    assert done.exit_code == (3 if refused else 0)
    assert "internal error" not in done.stderr
    assert list(data.rglob(".segfleet*")) == []


# ---- the target, folders, hard links


@pytest.fixture
def backed_up(machine: Machine) -> Machine:
    source = Tree(
        {
            "private/values.txt": File(b"values", mode=0o600),
            "private/other.txt": b"other",
            "private/deep": Folder(mode=0o711),
            "private/deep/values.txt": b"deep values",
            "private/deep/large": noise(400_000),
            "private/link": HardLink("private/deep/large"),
            "private/link2": HardLink("private/deep/large"),
            "private": Folder(mode=0o701, mtime_ns=NEW_NS),
        }
    ).make(machine.folder / "data")
    machine.succeed("backup", source, *machine.devices("a b"), "--segment-size=128KiB")
    return machine


def test_an_existing_target_keeps_its_mode_and_a_new_one_gets_that_of_the_folder(backed_up: Machine) -> None:
    there, new = backed_up.folder / "there", backed_up.folder / "new"
    there.mkdir(mode=0o1777)
    there.chmod(0o1777)
    for target in (there, new):
        backed_up.succeed("restore", "latest:data/private", "--target", target)
    assert stat.S_IMODE(there.stat().st_mode) == 0o1777
    assert there.stat().st_mtime_ns != NEW_NS
    assert (stat.S_IMODE(new.stat().st_mode), new.stat().st_mtime_ns) == (0o701, NEW_NS)


def test_folders_on_the_way_to_what_is_included_have_their_own_metadata(backed_up: Machine) -> None:
    backed_up.succeed("restore", "latest", "--target", backed_up.folder / "new", "-i", "values.txt")
    for path in ("data", "data/private", "data/private/deep"):
        was, now = (backed_up.folder / path).stat(), (backed_up.folder / "new" / path).stat()
        assert (now.st_mode, now.st_mtime_ns, now.st_uid) == (was.st_mode, was.st_mtime_ns, was.st_uid)
    assert not (backed_up.folder / "new/data/private/other.txt").exists()


def test_a_symlink_in_the_place_of_a_folder_is_replaced_first_and_then_filled(backed_up: Machine) -> None:
    outside, data = backed_up.folder / "outside", backed_up.folder / "new/data"
    outside.mkdir()
    data.mkdir(parents=True)
    (data / "private").symlink_to(outside)
    backed_up.succeed("restore", "latest", "--target", data.parent, "--overwrite=always")
    assert (data / "private/deep/values.txt").read_bytes() == b"deep values"
    assert (data / "private/deep/large").read_bytes() == noise(400_000)
    assert not (data / "private").is_symlink()
    assert list(outside.iterdir()) == []


def test_hard_links_of_an_older_file_that_is_kept_get_the_data_of_the_snapshot(backed_up: Machine) -> None:
    private = backed_up.folder / "new/data/private"
    (private / "deep").mkdir(parents=True)
    (private / "deep/large").write_bytes(b"mine, older")
    backed_up.succeed("restore", "latest", "--target", backed_up.folder / "new", "--overwrite=never")
    assert (private / "deep/large").read_bytes() == b"mine, older"
    assert (private / "link").read_bytes() == noise(400_000)
    assert os.path.samefile(private / "link", private / "link2")


def test_a_pattern_that_fits_nothing_below_a_path_is_what_the_error_names(backed_up: Machine) -> None:
    done = backed_up.run("restore", "latest:data/private", "--target", backed_up.folder / "new", "-i", "*.jpg")
    assert done.exit_code == 2
    assert "nothing in 'data/private' that matches the patterns" in done.stderr
    done = backed_up.run("restore", "latest:data/nowhere", "--target", backed_up.folder / "new", "-i", "*.jpg")
    assert "no path 'data/nowhere'" in done.stderr
