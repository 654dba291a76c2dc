"""A manager whose catalog is lost begins anew, with devices and a broker that remember more than it does."""

from __future__ import annotations

import psutil

from kit.compare import differences
from kit.deadlines import eventually
from kit.services.fleet import Fleet, kill_tree
from kit.services.site import Site
from tasks.broker.epochs import EPOCH_PREFIX

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")


def test_a_device_that_was_given_up_before_the_catalog_was_lost_takes_the_orders_of_the_new_one(fleet: Fleet) -> None:
    # b has one segment in hand for 18 s: it is not done when it is stopped, and what is in hand is not taken back.
    site = Site(fleet, rate={"a": "2MiB", "b": "8KiB"})
    give_up_device_b_in_a_backup(fleet, site)
    kill_tree(site.manager)
    for path in site.host.state.glob("catalog.sqlite*"):
        path.unlink()
    site.brake.release()

    fleet.manager(site.host, "m")
    done = site.master.succeed("backup", "data", *SMALL, "--json")
    site.master.succeed("restore", "latest", "--target", "back", "--manager", "m")

    assert done.errors == []
    assert {name: row["state"] for name, row in done.summary["devices"].items()} == {"a": "live", "b": "live"}
    assert all(row["segments"] for row in done.summary["devices"].values())
    assert differences(site.source, fleet.folder / "back" / "data") == []


def give_up_device_b_in_a_backup(fleet: Fleet, site: Site) -> None:
    """The worker of b sleeps for longer than its lease lives; its orders are fenced."""
    running = site.master.start("backup", "data", *SMALL, "--json")
    running.wait_until_storing()
    eventually(lambda: list((fleet.folder / "disks" / "b").rglob("*.tmp")), "b has a segment in hand")
    pid = next(lease.pid for lease in fleet.leases() if lease.device == "b")
    # The child first: without its parent too it would end what it has in hand, and send the receipt.
    family = [*psutil.Process(pid).children(), psutil.Process(pid)]
    for process in family:
        process.suspend()
    done = running.wait()
    for process in family:
        process.resume()
    assert done.summary["devices"]["b"]["state"] == "dead"
    assert list(fleet.server.client().scan_iter(match=f"{EPOCH_PREFIX}*"))
    eventually(lambda: {lease.device for lease in fleet.leases()} == {"a", "b"}, "b is served again")
