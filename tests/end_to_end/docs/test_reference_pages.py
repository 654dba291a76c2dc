"""The commands of the pages for reference: each is run, or it is listed here with the reason why not."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from kit.disks.raw_volumes import make_file_system, mounted
from kit.pages import Block, Reader
from kit.program.machine import machine
from kit.repository import REPOSITORY
from kit.tree import Tree, noise

#: Page → what is not run → why.
NOT_RUN: Mapping[str, Mapping[str, str]] = {
    "cli.md": {
        "segfleet mount /mnt/backups &": "it stays; test_mount.py has it",
        "segfleet dump latest data/projects | ssh elsewhere tar xp --xattrs --xattrs-include='*'": "another host",
        "segfleet notify test": "it needs a mail server; test_notifications.py has one",
    },
    "flower.md": {"segfleet flower": "it serves; test_flower.py has it"},
    "monitoring.md": {
        "segfleet page": "it serves; test_server.py has it",
        "segfleet notify test": "it needs a mail server; test_notifications.py has one",
    },
    "raw.md": {
        "segfleet backup /dev/vg/data --device a=/mnt/a --device b=/mnt/b": "a disk; tests/end_to_end/raw has them",
        "segfleet backup /dev/vg/data /srv --device a=/mnt/a": "a disk",
        "segfleet restore latest --target /dev/vg/data --force": "a disk",
        "segfleet dump latest | dd of=/dev/sdx": "a disk",
    },
}
_COMMAND = re.compile(r"^ {4}(segfleet .*?)(?: +#.*)?$", re.MULTILINE)
_SYNOPSIS = re.compile(r"\[|…|\.\.\.|\b[A-Z]{3,}\b|\w\|\w|\| (?:--|show)")


def commands_of(page: str) -> list[str]:
    found = _COMMAND.findall((REPOSITORY / "docs" / page).read_text())
    return [line for line in found if not _SYNOPSIS.search(line)]


@pytest.mark.slow
@pytest.mark.parametrize("page", NOT_RUN)
def test_the_commands_of_a_page_for_reference_are_run_but_for_those_that_cannot_be(page: str) -> None:
    commands = commands_of(page)
    assert NOT_RUN[page].keys() <= set(commands)
    with machine() as made:
        reader = Reader(made)
        reader.make("mnt/a", "mnt/b", "var")
        reader.replaced["/var/lib/prometheus/node-exporter"] = str(reader.path("var"))
        Tree({"projects/report.pdf": noise(30_000), "b": b"2"}).make(reader.home / "data")
        image = make_file_system(reader.home / "disk.img", "ext4", 8 << 20)
        with mounted(image, reader.home / "image") as inside:
            Tree({"hosts": b"::1 localhost\n"}).make(inside / "etc")
        reader.configuration.parent.mkdir(parents=True)
        reader.configuration.touch()
        if page == "cli.md":
            first = (
                "segfleet init ~/data --device a=/mnt/a/s --device b=/mnt/b/s --volume home; mkdir /mnt/a/s /mnt/b/s"
            )
            reader.configuration.unlink()
            reader.follow(Block(commands=f"{first}; segfleet backup --volume home"))
        for command in commands:
            if command not in NOT_RUN[page]:
                # An image that is there is not written over.
                reader.follow(Block(commands=command.replace("--target disk.img", "--target restored.img")))
