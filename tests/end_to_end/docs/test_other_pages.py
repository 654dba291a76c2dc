"""The commands of the README and of pages about one subject, run one after another."""

from __future__ import annotations

import re

import pytest

from kit.pages import Block, Reader
from kit.program.machine import machine
from kit.repository import REPOSITORY
from kit.tree import Tree, noise

PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("incremental", "locks", "plan", "retention", "schedule", "streams")),
)
#: What serves until it is stopped, and what needs a fleet; other tests have these.
_ELSEWHERE = re.compile(r"segfleet (page|flower|worker|manager|mount)\b|segfleet .*(?<![-\w])data\b|--watch")
_COMMAND = re.compile(r"^ {4}((?:segfleet |mkdir /mnt|pg_dump ).*)$", re.MULTILINE)


def commands_of(page: str) -> list[str]:
    found = _COMMAND.findall((REPOSITORY / page).read_text())
    return [line for line in found if not _ELSEWHERE.search(line.partition("#")[0])]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_reader_can_copy_each_command_of_the_page(page: str) -> None:
    with machine() as made:
        reader = Reader(made)
        reader.make("mnt/a", "mnt/b", "var")
        reader.replaced |= {"/tmp/out": str(reader.path("out")), "pg_dump mydb": "echo create", "psql mydb": "cat"}
        Tree({"notes.txt": b"1", "private/keys": b"2", "film": noise(400_000)}).make(reader.home / "src")
        init = "segfleet init ~/src --device a=/mnt/a/segfleet --device b=/mnt/b/segfleet --volume home"
        made_before = "mkdir /mnt/a/segfleet /mnt/b/segfleet; segfleet backup --volume home"
        # The README makes the devices itself.
        if page in ("docs/plan.md", "docs/streams.md"):
            reader.configuration.parent.mkdir(parents=True)
            reader.configuration.touch()
        else:
            reader.follow(Block(commands=init if page == "README.md" else f"{init}; {made_before}"))

        commands = commands_of(page)

        assert len(commands) > 1
        for command in commands:
            reader.follow(Block(commands=command))
