"""Masters and managers: a command goes to the manager that has the volume, and shows as if it ran here."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.compare import differences
from kit.deadlines import eventually
from kit.models.reservations import NEW_YEAR, make_due
from kit.program.json_lines import follow_their_schema
from kit.services.fleet import Fleet, kill_tree, succeeded
from kit.services.site import Site
from producer.catalog.catalog import Catalog
from producer.manager.presence import MANAGER_PREFIX, RunStatus, claim, runs, tell_run
from producer.manager.service import presence_of

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")

#: A backup takes 45 s, unless the brake is released: the machine may be busy.
SLOW = "32KiB"

#: What the summary of a backup and its row in the history have both.
TOLD = (
    *("snapshot_id", "mode", "files", "bytes_source", "bytes_stored", "segments"),
    *("segments_rerouted", "segments_retried", "devices", "errors"),
)


def test_a_backup_by_way_of_a_manager_shows_and_ends_as_one_here(fleet: Fleet) -> None:
    site = Site(fleet)

    done = site.master.succeed("backup", "data", *SMALL, "--json")
    site.master.succeed("restore", "latest", "--target", "back", "--manager", "m")
    listed = site.master.succeed("snapshots", "--manager", "m").stdout.decode()
    history = site.master.succeed("history", "data", "--manager", "m", "--json").rows
    checked = site.master.succeed("check")

    assert differences(site.source, fleet.folder / "back" / "data") == []
    assert done.summary["volume"] == "data"
    assert done.rows_of("status")
    assert done.summary["snapshot_id"][:8] in listed
    assert [(row["kind"], row["exit_code"]) for row in history] == [("backup", 0)]
    assert {name: history[0][name] for name in TOLD} == {name: done.summary[name] for name in TOLD}
    assert b"no errors found" in checked.stdout
    assert not (site.master.state / "catalog.sqlite").exists()
    # An agent acknowledges an order after its receipt has gone.
    eventually(lambda: not left_in_queues(fleet), "nothing is left in the queues")


def test_a_detached_run_is_picked_up_from_another_host(fleet: Fleet) -> None:
    site = Site(fleet, rate=SLOW)
    other = fleet.host("other")

    run_id = site.master.succeed("backup", "data", *SMALL, "--detach").stdout.decode().strip()
    watching = other.start("status", run_id, "--watch", "--json")
    watching.wait_until_storing()
    site.brake.release()
    seen = succeeded(watching.wait()).rows
    last = other.succeed("status", "--watch", "--manager", "m", "--json").rows
    fleet_rows = other.succeed("status", "--json").rows

    follow_their_schema("status", [*seen, *last, *fleet_rows])
    assert seen[-1]["run_id"] == run_id
    assert seen[-1]["state"] == "done"
    assert last == seen[-1:]
    assert [row["name"] for row in fleet_rows if row["message_type"] == "manager"] == ["m"]
    assert [row["volume"] for row in fleet_rows if row["message_type"] == "volume"] == ["data"]
    assert {row["device"] for row in fleet_rows if row["message_type"] == "agent"} == {"a", "b"}


def test_who_watches_a_run_whose_manager_is_gone_learns_that_and_what_to_do(fleet: Fleet) -> None:
    client = fleet.server.client()
    tell_run(client, RunStatus(run_id="0" * 32, manager="m", command="backup", words=(), state="running", started=""))

    done = fleet.host("other").run("status", "0" * 8, "--watch", "--json")

    assert done.exit_code == 1
    assert done.errors[0]["code"] == "no-manager"
    assert "manager m is gone while run 00000000 is unfinished" in done.stderr
    assert "segfleet manager m" in done.stderr


def test_who_watches_a_run_sees_its_end_though_the_broker_was_down_at_that_moment(fleet: Fleet) -> None:
    client = fleet.server.client()
    running = RunStatus(run_id="0" * 32, manager="m", command="backup", words=(), state="running", started="")
    presence = presence_of("m", (), pid=1, release="0", wire=1)
    tell_run(client, running)
    assert claim(client, presence)
    client.persist(f"{MANAGER_PREFIX}m")
    watching = fleet.host("other").start("status", "0" * 8, "--watch", "--json")
    watching.wait_for_row(lambda row: row["message_type"] == "status", "it watches")

    fleet.server.kill()
    eventually(lambda: "the broker does not answer" in watching.stderr, "it says that it waits")
    fleet.server.start()
    tell_run(fleet.server.client(), replace(running, state="done", exit_code=0))

    assert succeeded(watching.wait()).rows[-1]["state"] == "done"


def test_a_master_says_that_its_manager_is_gone_and_then_the_first_signal_ends_it(fleet: Fleet) -> None:
    site = Site(fleet, rate=SLOW)
    running = site.master.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()
    kill_tree(site.manager)

    eventually(lambda: "manager m is gone" in running.stderr, "it says so")
    assert not running.has_ended
    running.signal(signal.SIGTERM)

    done = running.wait()
    assert done.exit_code == 130
    assert "may continue" in done.stderr


def test_ctrl_c_at_the_master_stops_the_run_in_order_and_resume_goes_on(fleet: Fleet) -> None:
    site = Site(fleet, rate=SLOW)
    running = site.master.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()

    running.signal(signal.SIGINT)

    assert running.wait().exit_code == 130
    site.brake.release()
    done = site.master.succeed("resume", "--manager", "m", "--json")
    follow_their_schema("resume", done.rows)
    assert done.summary["errors"] == 0


def test_a_master_learns_of_the_end_of_a_run_though_the_broker_loses_it(fleet: Fleet) -> None:
    site = Site(fleet, rate=SLOW)
    client = fleet.server.client()
    running = site.master.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()

    running.signal(signal.SIGSTOP)
    site.brake.release()
    [run_id] = [run.run_id for run in runs(client)]
    eventually(lambda: f"run {run_id[:8]} has ended" in site.manager.stderr, "the manager has reported the end")
    client.delete(*client.keys("master.*"))
    running.signal(signal.SIGCONT)
    done = running.wait()

    assert done.exit_code == 0
    assert f"the broker lost the end of the output of run {run_id[:8]}" in done.stderr


@pytest.mark.parametrize("how", ["kill", "term"])
def test_a_manager_that_starts_again_goes_on_and_the_master_sees_the_end(fleet: Fleet, how: str) -> None:
    site = Site(fleet, rate=SLOW)
    running = site.master.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()

    if how == "kill":
        kill_tree(site.manager)
    else:
        site.manager.signal(signal.SIGTERM)
        assert site.manager.wait().exit_code == 0
    assert {lease.device for lease in fleet.leases()} == {"a", "b"}
    again = fleet.manager(site.host, "m")
    site.brake.release()
    done = running.wait()
    site.master.succeed("restore", "latest", "--target", "back", "--manager", "m")

    assert "resuming run" in again.stderr
    assert done.exit_code == 0, done
    assert differences(site.source, fleet.folder / "back" / "data") == []
    assert len(site.master.succeed("history", "data", "--json").rows) == 1


def test_a_second_backup_of_a_volume_is_refused_with_the_owner_of_its_lock(fleet: Fleet) -> None:
    site = Site(fleet, rate="128KiB")
    running = site.master.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()

    done = site.master.run("backup", "data")

    assert done.exit_code == 11
    assert "volume data is in use by backup of data (pid" in done.stderr
    running.signal(signal.SIGINT)
    running.wait()


def test_a_manager_that_is_not_there_is_told_with_those_that_are(shared_site: Site) -> None:
    done = shared_site.master.run("backup", "data", "--manager", "n")

    assert done.exit_code == 1
    assert "no manager n within 5 s at redis://:***@127.0.0.1" in done.stderr
    assert "there is m on" in done.stderr


def test_a_volume_that_no_manager_has_is_told_with_those_that_are(shared_site: Site) -> None:
    done = shared_site.master.run("backup", "photos")

    assert done.exit_code == 1
    assert "no manager has volume photos" in done.stderr
    assert "(volumes data)" in done.stderr


def test_a_manager_that_stands_still_is_told_within_seconds_and_does_not_begin_later(fleet: Fleet) -> None:
    site = Site(fleet)
    site.manager.signal(signal.SIGSTOP)
    # Else, on a busy machine, it may be gone before anybody asks it.
    assert fleet.server.client().persist(f"{MANAGER_PREFIX}m")

    done = site.master.run("backup", "data", "--json")
    site.manager.signal(signal.SIGCONT)
    site.master.succeed("snapshots", "--manager", "m")

    assert done.exit_code == 1
    assert "does not answer within 5 s" in done.stderr
    assert site.master.succeed("history", "--manager", "m", "--json").rows == []


def test_no_manager_at_all_is_told(fleet: Fleet) -> None:
    here = fleet.host("alone")

    done = here.run("backup", "data", "--manager", "m")

    assert done.exit_code == 1
    assert "there is no manager" in done.stderr


def test_two_managers_of_one_name_are_refused(shared_site: Site) -> None:
    twin = shared_site.fleet.host("twin", sources={"data": shared_site.source})

    done = twin.run("manager", "m")

    assert done.exit_code == 11
    assert "manager m is running already" in done.stderr


def test_a_source_that_the_manager_is_not_configured_for_is_refused(shared_site: Site) -> None:
    done = shared_site.master.run("backup", "/etc", "--manager", "m")

    assert done.exit_code == 2
    assert "/etc" in done.stderr
    assert "data" in done.stderr


def test_devices_of_the_command_line_are_refused_by_the_master(shared_site: Site) -> None:
    done = shared_site.master.run("backup", "data", f"--device=x={Path('/tmp')}")

    assert done.exit_code == 2
    assert "the devices of its own configuration" in done.stderr


def test_a_target_that_is_a_folder_is_refused_by_the_master(shared_site: Site) -> None:
    done = shared_site.master.run("restore", "latest", "--target", "/tmp/x", "--manager", "m")

    assert done.exit_code == 2
    assert "--target /tmp/x is a path" in done.stderr
    assert "[targets.NAME]" in done.stderr


def test_a_manager_starts_by_itself_what_the_schedule_says(fleet: Fleet) -> None:
    site = Site(fleet)
    site.host.succeed("schedule", "add", "data", *NEW_YEAR)
    make_due(site.host.catalog)

    def whole_backups() -> list[object]:
        rows = site.master.succeed("history", "data", "--manager", "m", "--json").rows
        return [row for row in rows if row["exit_code"] == 0]

    eventually(whole_backups, "the manager has backed data up")


def test_what_the_schedule_has_started_goes_on_when_its_manager_was_ended_and_starts_again(fleet: Fleet) -> None:
    site = Site(fleet, rate="128KiB")
    client = fleet.server.client()
    site.host.succeed("schedule", "add", "data", *NEW_YEAR, *SMALL, "--manager", "m")
    make_due(site.host.catalog)
    eventually(lambda: any(run.progress.get("bytes_done") for run in runs(client)), "the first bytes are stored")

    site.manager.signal(signal.SIGTERM)
    assert site.manager.wait().exit_code == 0
    fleet.manager(site.host, "m")

    with Catalog(site.host.catalog) as catalog:
        eventually(lambda: catalog.reservations.all()[0].last_outcome == "done", "the backup is done")
        [snapshot] = catalog.snapshots.all()
        assert snapshot.state == "sealed"
        assert [run.exit_code for run in catalog.runs.all("data")] == [0, 130]


def test_a_backup_whose_manager_was_ended_while_its_post_command_ran_is_done(fleet: Fleet) -> None:
    site = Site(fleet)
    began, may_end = fleet.folder / "began", fleet.folder / "may-end"
    with (site.host.folder / "segfleet.toml").open("a") as file:
        file.write(f'[volumes.data]\npost = "touch {began}; until [ -e {may_end} ]; do sleep 0.1; done"\n')
    site.host.succeed("schedule", "add", "data", *NEW_YEAR, "--manager", "m")
    make_due(site.host.catalog)
    eventually(began.exists, "the post command runs")

    site.manager.signal(signal.SIGTERM)
    may_end.touch()
    assert site.manager.wait().exit_code == 0
    manager = fleet.manager(site.host, "m")

    with Catalog(site.host.catalog) as catalog:
        eventually(lambda: catalog.reservations.all()[0].last_outcome == "done", "the reservation is done")
        assert [run.exit_code for run in catalog.runs.all("data")] == [0]
        assert [snapshot.state for snapshot in catalog.snapshots.all()] == ["sealed"]
    assert "UNIQUE" not in manager.stderr


def left_in_queues(fleet: Fleet) -> set[str]:
    keys = {key.decode() for key in fleet.server.client().scan_iter()}
    return {key for key in keys if key.startswith(("device.", "command.", "master.", "unacked"))}
