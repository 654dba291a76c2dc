"""Orders of a restore do not outlive it: what is written to the target after its end stays as it is."""

from __future__ import annotations

import signal

from kit.program.command import Running
from kit.services.fleet import Fleet, kill_tree
from kit.tree import Tree, noise

STEPS = ("--segment-size=256KiB", "--unit-size=64KiB", "--bundle=off")

#: 2 MB on each of two devices, 20 s at the slow rate.
FILES = {f"{number:02}": noise(200_000, seed=number) for number in range(20)}
SLOW = "100KiB"
MINE = b"written after the end of the restore"


class Restore:
    """A restore to the folder ``back`` of the hosts of two agents, which has brought back its first bytes."""

    def __init__(self, fleet: Fleet, **rates: str) -> None:
        self.fleet = fleet
        self.folder = fleet.folder / "back"
        source = Tree(FILES).make(fleet.folder / "data")
        self.disks = {name: fleet.folder / "disks" / name for name in ("a", "b")}
        for disk in self.disks.values():
            disk.mkdir(parents=True)
        self.here = fleet.host("centre", devices=self.disks, sources={"data": source})
        # By workers of its own, at full speed.
        self.here.succeed("backup", "data", *STEPS)
        self.agents = {name: self.agent(name, rates.get(name, "")) for name in self.disks}
        self.running = self.here.start("restore", "latest", "--target", "back", "--json")
        self.running.wait_for_row(lambda row: row.get("bytes_done", 0) > 0, "the first bytes are back")

    def agent(self, name: str, rate: str = "") -> Running:
        host = self.fleet.host(
            f"host-{name}-{rate}", devices={name: self.disks[name]}, targets={"back": self.folder}, rate=rate
        )
        return self.fleet.agent(host, name)

    def write_over(self, paths: list[str]) -> None:
        for path in paths:
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(MINE)

    def wait_for_all_that_was_ordered(self) -> None:
        """A worker carries out its orders one after another: a check comes behind whatever may be left."""
        self.here.succeed("check")

    def changed(self, paths: list[str]) -> list[str]:
        return [path for path in paths if (self.folder / path).read_bytes() != MINE]


def test_nothing_is_written_after_an_interrupted_restore_has_ended(fleet: Fleet) -> None:
    restore = Restore(fleet, a=SLOW, b=SLOW)
    restore.running.signal(signal.SIGINT)
    done = restore.running.wait()
    all_paths = [f"data/{name}" for name in FILES]
    restore.write_over(all_paths)

    restore.wait_for_all_that_was_ordered()

    assert done.exit_code == 130
    assert "--overwrite if-changed" in done.stderr
    assert restore.changed(all_paths) == []


def test_an_agent_that_is_back_after_the_restore_has_ended_writes_nothing_of_it(fleet: Fleet) -> None:
    restore = Restore(fleet, b=SLOW)
    kill_tree(restore.agents["b"])
    done = restore.running.wait()
    lost = sorted({row["path"] for row in done.errors if row["path"]})
    restore.write_over(lost)
    restore.agent("b")

    restore.wait_for_all_that_was_ordered()

    assert done.exit_code == 3
    assert {row["code"] for row in done.errors} == {"device-dead"}
    assert 0 < len(lost) < len(FILES)
    assert restore.changed(lost) == []
