"""docs/fleet.md, command by command, on hosts that differ in their folders."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from kit.command import SEGFLEET
from kit.compare import differences
from kit.deadlines import eventually
from kit.fleet import Fleet
from kit.machine import Machine
from kit.repository import REPOSITORY
from kit.tree import Tree, noise
from producer.manager.presence import managers

PAGE = (REPOSITORY / "docs/fleet.md").read_text()
HOSTS = ("tower", "attic", "cellar", "desk")


def test_every_command_of_the_page_works_in_its_order(fleet: Fleet) -> None:
    source = Tree({f"projects/{n}": noise(90_000, seed=n) for n in range(8)}).make(fleet.folder / "data")
    shim = make_shim(fleet.folder / "bin")
    hosts = {name: make_host(fleet, name) for name in HOSTS}
    broker = fleet.server.client()
    broker.config_set("requirepass", "CHANGE-ME")
    broker.execute_command("AUTH", "CHANGE-ME")
    fleet.server.url = f"redis://:CHANGE-ME@127.0.0.1:{fleet.server.port}/0"

    for host, lines in re.findall(r"```sh\n# on (\w+)\n(.*?)```", PAGE, re.DOTALL):
        for script in scripts(lines):
            if script.endswith("&"):
                hosts[host].start(*script.removeprefix("segfleet").removesuffix("&").split())
                wait_for(fleet, script)
            else:
                run(script, hosts[host], shim, fleet)

    assert differences(source, fleet.folder / "restored" / "data") == []


def make_shim(folder: Path) -> Path:
    """``segfleet`` on the PATH, by the interpreter of the tests."""
    folder.mkdir()
    (folder / "segfleet").write_text(f'#!/bin/sh\nexec {shlex.join(SEGFLEET)} "$@"\n')
    (folder / "segfleet").chmod(0o755)
    return folder


def make_host(fleet: Fleet, name: str) -> Machine:
    host = fleet.host(name)
    disk = host.folder / "disk"
    disk.mkdir()
    match = re.search(rf"```toml\n# {name}: segfleet.toml\n(.*?)```", PAGE, re.DOTALL)
    assert match
    text = at_home(match[1], fleet).replace("/mnt/disk", str(disk))
    (host.folder / "segfleet.toml").write_text(text)
    return host


def at_home(text: str, fleet: Fleet) -> str:
    places = {"/net/tower": str(fleet.folder), "/srv": str(fleet.folder)}
    for place, here in places.items():
        text = text.replace(place, here)
    return text.replace("tower.example:6379", f"127.0.0.1:{fleet.server.port}")


def scripts(block: str) -> list[str]:
    """The block's lines; one that sets a variable goes together with the next."""
    return re.sub(r"^(\w+=.*)\n", r"\1 && ", block, flags=re.MULTILINE).strip().splitlines()


def wait_for(fleet: Fleet, script: str) -> None:
    _, part, name = script.removesuffix("&").split()
    if part == "worker":
        eventually(lambda: name in {lease.device for lease in fleet.leases()}, f"agent {name} is there")
    else:
        eventually(lambda: name in managers(fleet.server.client()), f"manager {name} is there")


def run(script: str, host: Machine, shim: Path, fleet: Fleet) -> None:
    environment = host.environment() | {"PATH": f"{shim}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", at_home(script, fleet)],
        cwd=host.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (script, done.stdout[-500:], done.stderr[-500:])
