"""docs/fleet.md, command by command, on hosts that differ in their folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import redis

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.command import make_shim
from kit.program.machine import Machine
from kit.repository import REPOSITORY
from kit.services.fleet import Fleet
from kit.tree import Tree, noise
from producer.manager.presence import managers

PAGE = (REPOSITORY / "docs/fleet.md").read_text()
BLOCKS = re.findall(r"```sh\n# on (\w+)\n(.*?)```", PAGE, re.DOTALL)
HOSTS = ("tower", "attic", "cellar", "desk")


def test_every_command_of_the_page_works_in_its_order(fleet: Fleet) -> None:
    source = Tree({f"projects/{n}": noise(90_000, seed=n) for n in range(8)}).make(fleet.folder / "data")
    shim = make_shim(fleet.folder / "bin").parent
    make_acl_file(fleet)
    hosts = {name: make_host(fleet, name) for name in HOSTS}

    for host, lines in BLOCKS:
        for script in scripts(lines):
            if "broker acl" in script:
                run(script, hosts[host], shim, fleet)
                install_users(fleet, hosts[host])
            elif script.endswith("&"):
                hosts[host].start(*script.removeprefix("segfleet").removesuffix("&").split())
                wait_for(fleet, script)
            else:
                run(script, hosts[host], shim, fleet)

    assert differences(source, fleet.folder / "restored" / "data") == []


def test_the_users_of_the_page_survive_a_restart_of_the_broker_and_nobody_is_admin(fleet: Fleet) -> None:
    make_acl_file(fleet)
    host = make_host(fleet, "tower")
    script = next(script for _, lines in BLOCKS for script in scripts(lines) if "broker acl" in script)
    run(script, host, make_shim(fleet.folder / "bin").parent, fleet)
    install_users(fleet, host)
    fleet.server.kill()
    fleet.server.start()

    for user in ("agent-attic", "agent-cellar", "manager-tower", "master", "flower"):
        assert redis.Redis(port=fleet.server.port, username=user, password="PASSWORD").ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=fleet.server.port).ping()
    assert (host.folder / "users.acl").stat().st_mode & 0o077 == 0


def make_acl_file(fleet: Fleet) -> None:
    """Start the fleet's broker again with a file of users, as redis.conf on the page has it."""
    assert "aclfile /etc/redis/users.acl" in PAGE
    fleet.server.end()
    (fleet.folder / "users.acl").write_text("user default on nopass ~* &* +@all\n")
    fleet.server.use("--aclfile", str(fleet.folder / "users.acl"))
    fleet.server.start()


def install_users(fleet: Fleet, host: Machine) -> None:
    """What the page says to do as root, with files and services of the whole host."""
    shutil.copy(host.folder / "users.acl", fleet.folder / "users.acl")
    fleet.server.kill()
    fleet.server.url = f"redis://manager-tower:PASSWORD@127.0.0.1:{fleet.server.port}/0"
    fleet.server.start()


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
    """The block's lines; one that sets a variable or the umask goes together with the next."""
    return re.sub(r"^(\w+=.*|umask .*)\n", r"\1 && ", block, flags=re.MULTILINE).strip().splitlines()


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
