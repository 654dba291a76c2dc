"""The documentation as somebody follows it: block by block, on a machine of the tests' own.

What stands in a page for a place of the reader's (``/mnt``, ``/srv``, …) is a folder of the machine.  What only the
administrator of real disks can do, such as mkfs, is a stand-in that succeeds.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kit.program.forking.shim import make_forking_shim
from kit.program.machine import Machine
from kit.repository import REPOSITORY

_BLOCK = re.compile(r"^## (.*?)$|^```(sh|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HOST = re.compile(r"# on (\w+)\n")
_PLACE = re.compile(r"(?<![\w.~])/(?=(?:mnt|srv|etc/segfleet|etc/cron\.d)\b)")
#: Ids, numbers, sizes and the rests of times: what differs from run to run.
_VARYING = re.compile(r"\b[0-9a-f]{8}\b|\d[\d.,:]*(?: (?:[KMGT]iB|B|s|min|h)\b)?")

#: Commands of others that change the machine, or need the network.
STAND_INS: Mapping[str, str] = {
    **dict.fromkeys(("pipx", "mkfs.ext4", "mount", "umount", "sudo"), "exit 0"),
    # Prints and takes a table of jobs.
    "crontab": '[ "$1" = -l ] && exec cat crontab\ncat > crontab.new && mv crontab.new crontab',
}


@dataclass(frozen=True, kw_only=True)
class Block:
    """``host``: whose commands these are; "" where the page has one machine.  ``shown``: lines of their output."""

    host: str = ""
    #: Under which it stands.
    heading: str = ""
    commands: str
    shown: list[str] = field(default_factory=list)


def blocks_of(page: str) -> list[Block]:
    """The blocks of commands of a page of docs/, in their order."""
    found: list[Block] = []
    heading = ""
    for title, language, text in _BLOCK.findall((REPOSITORY / "docs" / page).read_text()):
        if title:
            heading = title
        elif language == "text":
            found[-1].shown.extend(text.splitlines())
        else:
            host = _HOST.match(text)
            commands = _HOST.sub("", text, count=1)
            found.append(Block(host=host[1] if host else "", heading=heading, commands=commands))
    return found


class Reader:
    """Somebody at a machine, whose home is ``home`` and whose disks are below ``root``."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.root = machine.folder
        self.home = machine.folder / "home" / "me"
        self.home.mkdir(parents=True)
        machine.state = self.home / ".local" / "state" / "segfleet"
        self.configuration = self.home / ".config" / "segfleet" / "segfleet.toml"
        #: Words of the pages, and what they are here.
        self.replaced: dict[str, str] = {}
        self._tools = make_forking_shim(machine.folder / "bin", machine.adopt).parent
        for name, body in STAND_INS.items():
            (self._tools / name).write_text(f"#!/bin/sh\n{body}\n")
            (self._tools / name).chmod(0o755)

    def make(self, *folders: str) -> None:
        """Make folders that a page supposes."""
        for folder in folders:
            (self.root / folder).mkdir(parents=True)

    def follow(self, block: Block) -> str:
        """Run a block as anyone who copies it does; fails the test when one of its commands fails.

        Returns its output.  What it starts in the background stays.
        """
        commands = _PLACE.sub(f"{self.root}/", block.commands)
        for word, here in self.replaced.items():
            commands = commands.replace(word, here)
        log = self.root / "log"
        with log.open("wb") as output:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", commands],
                cwd=self.home,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=240,
                check=False,
            )
        said = log.read_text()
        assert done.returncode == 0, (block.commands, said[-2000:])
        lines = {_shape(line) for line in said.splitlines()}
        assert [line for line in block.shown if _shape(line) not in lines] == [], said[-2000:]
        return said

    def _environment(self) -> dict[str, str]:
        own = {
            "HOME": str(self.home),
            "PATH": f"{self._tools}:{os.environ['PATH']}",
            # Root's would be that of the whole machine.
            "SEGFLEET_CONFIG": str(self.configuration),
        }
        return self.machine.environment(own)

    def path(self, place: str) -> Path:
        return self.root / place.lstrip("/")


def _shape(line: str) -> str:
    return " ".join(_VARYING.sub("#", line).split())
