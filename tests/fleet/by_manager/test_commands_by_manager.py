"""Every command that a manager carries out for a master shows there what it shows on the manager's own host."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from kit.deadlines import eventually
from kit.program.command import SEGFLEET
from kit.program.processes import runs_for_a_master
from kit.services.fleet import Fleet, kill_tree
from kit.services.fleet import fleet as new_fleet
from kit.services.site import Site
from kit.tree import Tree, noise

MIB = 1024 * 1024
SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")
#: 16 replies of 512 KiB in base64, and 4 receipts of 4 MiB, in base64 twice; a fifth more is the server's own.
MOST_WAITING_BYTES = int(1.2 * (16 * MIB / 2 * 4 / 3 + 4 * 4 * MIB * 16 / 9))

#: What the manager and its own host must print alike, after two backups.
ALIKE = (
    ("snapshots",),
    ("ls", "latest", "data/d", "--long"),
    ("find", "0*", "--snapshot=latest", "--json"),
    ("diff", "OLD", "latest", "--metadata"),
    ("history", "data"),
    ("plan", "data", "--split=remaining"),
    ("plan", "data", "--svg=-"),
    ("backup", "data", "--dry-run", *SMALL),
    ("ls", "latest", "data/d", "--type=f", "--size=-1KiB", "-e", "0*", "--oldest=2001-01-01", "--newest=0h"),
    ("find", "NOT-*", "-i", "-l", "--human-readable"),
    ("dump", "latest", "data/d/01"),
    ("dump", "latest", "data/d"),
    ("dump", "latest", "/", "--zip"),
)

#: What is refused alike.
REFUSED = (
    ("ls", "latest", "data/none"),
    ("dump", "latest", "data/none"),
    ("retry",),
    ("schedule", "remove", "data"),
    ("schedule", "add", "data", "--cron=0 2 30 2 *"),
    ("plan", "data", "--unit-size=5KiB"),
)


def big() -> bytes:
    """What takes long to send; nobody keeps it meanwhile."""
    return noise(40 * MIB, seed=1)


def without_ages(shown: bytes) -> bytes:
    """A list that is asked for a second later shows other ages, in columns of another width."""
    return re.sub(rb" +|-+", b" ", re.sub(rb"\b\d+ (s|min|h)\b", b"AGE", shown))


def test_lists_plans_and_refusals_are_those_of_the_managers_own_host(fleet: Fleet) -> None:
    odd = {os.fsdecode(b"d/not-\xff-utf-8"): noise(10), "d/with\nline and \x1b[31mcolour": noise(10)}
    site = Site(fleet, tree=Tree({f"d/{n:02}": noise(150_000, seed=n) for n in range(8)} | odd))
    old = site.master.succeed("backup", "data", *SMALL, "--json").summary["snapshot_id"]
    (site.source / "d" / "01").write_bytes(b"new")
    site.master.succeed("backup", "data", *SMALL)

    for command in ALIKE:
        words = [old if word == "OLD" else word for word in command]
        here = site.host.succeed(*words, "--manager", "local")
        there = site.master.succeed(*words, "--manager", "m")
        assert without_ages(there.stdout) == without_ages(here.stdout), command
        assert there.stdout, command
    for command in REFUSED:
        here = site.host.run(*command, "--manager", "local")
        there = site.master.run(*command, "--manager", "m")
        assert (there.exit_code, there.stderr) == (here.exit_code, here.stderr), command
        assert there.exit_code in (1, 2), command


def test_devices_status_and_checks_come_from_the_manager(shared_site: Site) -> None:
    shared_site.master.succeed("backup", "data", *SMALL)

    devices = shared_site.master.succeed("devices", "--json").rows_of("device")
    volumes = shared_site.master.succeed("status", "--manager", "m", "--json").rows
    checked = shared_site.master.succeed("check", "--read-data", "--json").summary

    assert [(row["name"], row["state"]) for row in devices] == [("a", "live"), ("b", "live")]
    assert [(row["volume"], row["state"]) for row in volumes if row["message_type"] == "volume"] == [("data", "idle")]
    assert checked["errors"] == 0


def test_a_master_may_say_that_a_device_is_lost_and_name_no_folder_for_it(fleet: Fleet) -> None:
    site = Site(fleet)
    site.master.succeed("backup", "data", *SMALL)

    lost = site.master.succeed("devices", "lost", "b", "--json").rows_of("device")
    moved = site.master.run("devices", "move", "b=/etc", "--manager", "m")

    assert [(row["name"], row["state"]) for row in lost] == [("b", "lost")]
    assert site.master.succeed("snapshots", "--json").rows_of("snapshot")[0]["incomplete"][0]["lost"]
    assert moved.exit_code == 2
    assert "concerns this host only" in moved.stderr


def test_the_schedule_is_kept_by_way_of_the_manager(shared_site: Site) -> None:
    shared_site.master.succeed("schedule", "add", "data", "--cron=0 2 * * *", "--tz=Europe/Berlin", "--skip-missed")
    added = shared_site.master.succeed(
        "schedule", "add", "nightly", "data", "--cron=0 3 * * *", "--level=7", "--json"
    ).rows
    rows = shared_site.master.succeed("schedule", "list", "--json").rows
    nothing_due = shared_site.master.succeed("schedule", "run-due")
    shared_site.master.succeed("schedule", "remove", added[0]["reservation_id"])
    shared_site.master.succeed("schedule", "remove", "data")

    # In the order of their next runs, which depends on the time of the day.
    data, nightly = sorted(rows, key=lambda row: row["volume"])
    assert [(row["volume"], row["if_missed"]) for row in (data, nightly)] == [
        ("data", "skip"),
        ("nightly", "catch-up"),
    ]
    assert data["timezone"] == "Europe/Berlin"
    assert nightly["request"]["arguments"] == ["--volume=nightly", "--level=7", "--", "data"]
    assert nothing_due.stdout == b""
    assert shared_site.host.succeed("schedule", "list", "--json").rows == []


@pytest.fixture(scope="module")
def big_site() -> Iterator[Site]:
    """A site with a backup of one large file, which nobody changes."""
    with new_fleet() as fleet:
        site = Site(fleet, tree=Tree({"big": big()}))
        site.master.succeed("backup", "data", "--segment-size=5MiB", "--unit-size=1MiB")
        yield site


def test_a_file_in_many_segments_is_dumped_by_way_of_the_manager_however_slow_its_reader(big_site: Site) -> None:
    broker = big_site.fleet.server.client()

    def waiting() -> int:
        return max((broker.llen(key) for key in broker.scan_iter("master.*")), default=0)

    def waiting_bytes() -> int:
        return sum(broker.memory_usage(key, samples=0) or 0 for key in broker.scan_iter("*"))

    with subprocess.Popen(
        [*SEGFLEET, "dump", "latest", "data/big"],
        env=big_site.master.environment(),
        cwd=big_site.master.folder,
        stdout=subprocess.PIPE,
    ) as dump:
        assert dump.stdout is not None
        # Nobody reads: the pipe fills up, then the queue, and all before it waits.
        eventually(lambda: waiting() == 16, "a window of replies is in the broker")
        assert waiting_bytes() < MOST_WAITING_BYTES
        whole = dump.stdout.read()

    assert dump.returncode == 0
    assert whole == big()
    assert waiting() == 0


def test_a_dump_that_nobody_reads_on_is_stopped_at_the_manager(big_site: Site) -> None:
    with subprocess.Popen(
        [*SEGFLEET, "dump", "latest", "data/big"],
        env=big_site.master.environment(),
        cwd=big_site.master.folder,
        stdout=subprocess.PIPE,
    ) as dump:
        assert dump.stdout is not None
        dump.stdout.read(10)
        assert runs_for_a_master(big_site.host)
        dump.stdout.close()

    assert dump.returncode == 1
    eventually(lambda: not runs_for_a_master(big_site.host), "the manager has ended the dump")


def test_a_list_ends_when_its_manager_goes_away(fleet: Fleet) -> None:
    site = Site(fleet, tree=Tree({"big": big()}))
    site.master.succeed("backup", "data", "--segment-size=5MiB", "--unit-size=1MiB")
    with subprocess.Popen(
        [*SEGFLEET, "dump", "latest", "data/big"],
        env=site.master.environment(),
        cwd=site.master.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as dump:
        assert dump.stdout is not None
        assert dump.stderr is not None
        dump.stdout.read(10)
        kill_tree(site.manager)
        dump.stdout.read()
        said = dump.stderr.read().decode()

    assert dump.returncode == 1
    assert "manager m is gone" in said


@pytest.mark.parametrize("command", [("worker", "a"), ("manager", "n"), ("flower",)], ids=" ".join)
def test_a_command_about_the_host_itself_says_that_no_manager_does_it(fleet: Fleet, command: tuple[str, ...]) -> None:
    done = fleet.host("desk").run(*command, "--manager", "m")

    assert done.exit_code == 2
    assert "concerns this host only" in done.stderr
    assert "on the host itself" in done.stderr


def test_what_the_master_means_as_a_file_of_its_own_is_refused_with_another_way(shared_site: Site) -> None:
    drawn = shared_site.master.run("plan", "data", "--svg", "plan.svg")
    detached = shared_site.master.run("backup", "data", "--dry-run", "--detach")

    assert (drawn.exit_code, detached.exit_code) == (2, 2)
    assert "--svg - > FILE" in drawn.stderr
    assert "only a run can be detached" in detached.stderr
