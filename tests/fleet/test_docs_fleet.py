"""docs/fleet.md, copied block by block to hosts of their own; then every host loses its power at once."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from kit.compare import differences
from kit.deadlines import eventually
from kit.needs import need, need_tools
from kit.program.command import make_shim
from kit.repository import REPOSITORY
from kit.services.namespaces import NamespaceHost, Network, network
from kit.tree import Tree, noise

PAGE = (REPOSITORY / "docs/fleet.md").read_text()
BLOCKS = re.findall(r"```sh\n# on (\w+)(?:, as root)?\n(.*?)```", PAGE, re.DOTALL)
#: What starts again with each host, as the units in docs/systemd do it: an agent, a manager.
SERVICES = [
    (host, line.removesuffix(" &")) for host, block in BLOCKS for line in block.splitlines() if line[-1:] == "&"
]

#: Debian's own settings that matter here, and those of the page.
REDIS_CONF = "dir /var/lib/redis\npidfile /var/lib/redis/pid\nprotected-mode yes\n" + "".join(
    re.findall(r"```conf\n(.*?)```", PAGE, re.DOTALL)
)
SYSTEMCTL = """#!/bin/sh
[ "$*" = "restart redis-server" ] || exit 1
pid=$(cat /var/lib/redis/pid 2>/dev/null || echo none)
if grep -qs redis-server /proc/$pid/comm; then
    kill $pid
    while [ -e /proc/$pid ]; do sleep 0.05; done
fi
setsid --fork setpriv --reuid=redis --regid=redis --clear-groups \\
    redis-server /etc/redis/redis.conf >>redis.log 2>&1 </dev/null
until redis-cli ping 2>&1 | grep -qE "PONG|NOAUTH"; do sleep 0.05; done
"""


class Site:
    """The hosts of the page, and what else it supposes: the data, the disks, tower's files seen over the network."""

    def __init__(self, folder: Path, net: Network) -> None:
        self.folder = folder
        self.tree = Tree({f"projects/{n}": noise(90_000, seed=n) for n in range(8)})
        self.source = self.tree.make(folder / "srv" / "data")
        (folder / "srv" / "restored").mkdir()
        shim = make_shim(folder / "bin")
        (shim.parent / "systemctl").write_text(SYSTEMCTL)
        (shim.parent / "systemctl").chmod(0o755)
        for name in ("redis", "lib-redis"):
            (folder / name).mkdir()
            shutil.chown(folder / name, "redis", "redis")
        (folder / "redis" / "redis.conf").write_text(REDIS_CONF)
        own = {
            "tower": {
                "/srv": folder / "srv",
                "/etc/redis": folder / "redis",
                "/var/lib/redis": folder / "lib-redis",
            },
            "desk": {},
            **{name: self._with_disk(name) for name in ("attic", "cellar")},
        }
        self.hosts = {
            name: net.host(name, folder / name, {"/etc/hosts": folder / "hosts"} | mounts)
            for name, mounts in own.items()
        }
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{self.hosts['tower'].address} tower.example\n")
        for name, host in self.hosts.items():
            self._configure(name, host)

    def _with_disk(self, name: str) -> dict[str, Path]:
        for place in ("disk", "tower"):
            (self.folder / f"{name}-mnt" / place).mkdir(parents=True)
        (self.folder / f"{name}-disk").mkdir()
        return {
            "/mnt": self.folder / f"{name}-mnt",
            "/mnt/disk": self.folder / f"{name}-disk",
            "/mnt/tower": self.folder / "srv",
        }

    def _configure(self, name: str, host: NamespaceHost) -> None:
        [text] = re.findall(rf"```toml\n# {name}: segfleet.toml\n(.*?)```", PAGE, re.DOTALL)
        (host.folder / "segfleet.toml").write_text(text)
        (host.folder / "segfleet.toml").chmod(0o600)

    def copy(self, name: str, block: str) -> None:
        """Run a block as anyone who copies it does; what it starts in the background stays."""
        host, log = self.hosts[name], self.hosts[name].folder / "log"
        done = host.run("bash", "-ec", f"exec >{log} 2>&1; {block}", timeout_s=280)
        assert done.returncode == 0, (name, block, log.read_text()[-2000:])

    def wait_for(self, host: str, service: str) -> None:
        _, part, name = service.split()
        # A worker is numbered while the lease of the one before it has not run out.
        shown = {"worker": rf"{name}(\.\d+)?@{host}", "manager": f"{name} "}[part]
        status = partial(self.hosts["tower"].run, "segfleet", "status")
        eventually(lambda: re.search(shown, status().stdout), f"{service} is there")

    def restored(self) -> list[str]:
        return differences(self.source, self.folder / "srv" / "restored" / "data")


def has_line(log: Path, line: str) -> bool:
    return line in log.read_text().splitlines()


@pytest.fixture
def site() -> Iterator[Site]:
    need_tools("redis-server", "redis-cli", "setpriv")
    need(Path("/etc/redis").is_dir(), "no redis-server of Debian: apt install redis-server")
    folder = Path(tempfile.mkdtemp(prefix="sf-page-"))
    folder.chmod(0o755)
    try:
        with network() as net:
            yield Site(folder, net)
    finally:
        shutil.rmtree(folder)


def test_the_page_can_be_followed_by_copying_and_survives_a_power_cut_of_every_host(site: Site) -> None:
    for host in site.hosts.values():
        host.boot()
    for name, block in BLOCKS:
        site.copy(name, block)
        for host, service in SERVICES:
            if host == name and service in block:
                site.wait_for(host, service)
    assert site.restored() == []

    for host in site.hosts.values():
        host.cut_power()
    for host in site.hosts.values():
        host.boot()
    # The worst order: all services before the broker; systemd starts each again, as its unit says.
    for name, service in SERVICES:
        site.hosts[name].start("unit", f"until {service}; do echo once more; sleep 0.5; done")
    for name, _ in SERVICES:
        log = site.hosts[name].folder / "unit.log"
        eventually(partial(has_line, log, "once more"), f"{name} has missed the broker")
    site.copy("tower", "systemctl restart redis-server")
    for host, service in SERVICES:
        site.wait_for(host, service)

    shutil.rmtree(site.folder / "srv" / "restored" / "data")
    (site.source / "projects" / "new").write_bytes(b"written after the power cut")
    site.copy("desk", "segfleet backup data\nsegfleet restore data@latest --target restored --manager tower")
    assert site.restored() == []
    # The users are still there, and nobody is admin.
    refused = site.hosts["desk"].run("redis-cli", "-h", "tower.example", "acl", "users")
    assert "NOAUTH" in refused.stdout
