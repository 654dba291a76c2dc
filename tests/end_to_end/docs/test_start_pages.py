"""The pages for beginners and operators: every command on them is run, in the order of the page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import differences
from kit.needs import need_tools
from kit.pages import Block, Reader, blocks_of
from kit.program.machine import machine
from kit.repository import REPOSITORY
from kit.tree import Tree, noise

DOCUMENTS = Tree({"letter.txt": b"dear reader\n", "report": noise(70_000)})


@pytest.fixture(scope="module")
def one_machine() -> Iterator[Reader]:
    """Who has followed start-one-machine.md."""
    with machine() as made:
        reader = Reader(made)
        reader.make("mnt/a", "mnt/b", "mnt/c", "mnt/new")
        DOCUMENTS.make(reader.home / "documents")
        Tree({"page": noise(10_000)}).make(reader.home / ".cache")
        for block in blocks_of("start-one-machine.md"):
            reader.follow(block)
        yield reader


def test_after_the_start_page_the_home_is_backed_up_and_its_cache_is_not(one_machine: Reader) -> None:
    assert differences(one_machine.home / "documents", one_machine.home / "restored") == []
    crontab = (one_machine.home / "crontab").read_text()
    assert crontab.endswith("segfleet schedule run-due --quiet\n")
    assert Path(crontab.split()[5]).is_absolute()
    listed = one_machine.follow(Block(commands="segfleet ls latest"))
    assert "me/documents/report" in listed and ".cache" not in listed


def test_what_is_lost_comes_back_by_the_commands_of_the_page(one_machine: Reader) -> None:
    need_tools("zstd")
    home, state = one_machine.home, one_machine.machine.state
    # So that a snapshot has a copy of the catalog.
    one_machine.follow(Block(commands="segfleet backup --volume home"))
    (script,) = re.findall(r"^```python\n(.*?)^```$", page("recovery.md"), re.DOTALL | re.MULTILINE)
    (home / "recover.py").write_text(script)
    known = snapshots_at(one_machine)
    one_machine.replaced["5eed0123"] = known[-1]

    for block in blocks_of("recovery.md"):
        if block.heading in ("The machine burned", "The catalog is lost"):
            shutil.rmtree(state)
        if block.heading == "The machine burned":
            burned = one_machine.configuration.rename(home / "burned")
            one_machine.configuration.touch()
        # The last block is about segments, and has a test of its own.
        if "dd if=" not in block.commands:
            one_machine.follow(block)
        if block.heading == "The machine burned":
            burned.replace(one_machine.configuration)

    for place in (one_machine.path("mnt/new/everything"), home / "by-hand"):
        assert differences(home / "documents", place / "me" / "documents") == []
    assert snapshots_at(one_machine) == known


def test_an_operator_can_copy_each_command_of_the_day(one_machine: Reader) -> None:
    said = [one_machine.follow(block) for block in blocks_of("daily.md")]

    assert (one_machine.home / "letter.txt").read_bytes() == b"dear reader\n"
    assert differences(one_machine.home / "documents", one_machine.home / "documents-before") == []
    # The disk has died, and a backup with the new one has made all whole again.
    assert "\ngreen: " in said[-1]


def snapshots_at(reader: Reader) -> list[str]:
    return re.findall(r'"snapshot_id": "(\w{8})', reader.follow(Block(commands="segfleet snapshots --json")))


def page(name: str) -> str:
    return (REPOSITORY / "docs" / name).read_text()


def test_a_server_with_four_disks_is_set_up_and_rehearses_the_loss_of_one() -> None:
    with machine() as made:
        reader = Reader(made)
        reader.configuration = reader.path("etc/segfleet/segfleet.toml")
        reader.replaced["/opt/segfleet/bin/"] = ""
        reader.make("mnt", "srv", "etc/segfleet", "etc/cron.d")
        for name in ("photos", "films"):
            Tree({str(n): noise(40_000, seed=n) for n in range(8)}).make(reader.path(f"srv/{name}"))
        disk, away = reader.path("mnt/disk3"), reader.path("mnt/away")
        # An empty folder is left where a disk was mounted.
        reader.replaced |= {
            f"umount {disk}": f"mv {disk} {away} && mkdir {disk}",
            f"mount {disk}": f"rmdir {disk} && mv {away} {disk}",
        }
        for block in blocks_of("start-nas.md"):
            said = reader.follow(block)

        # The table of devices at the end.
        assert re.findall(r"^disk[1-4] +(\w+)", said, re.MULTILINE) == ["live"] * 4
        assert differences(reader.path("srv/photos"), reader.path("srv/rehearsal/photos")) == []
