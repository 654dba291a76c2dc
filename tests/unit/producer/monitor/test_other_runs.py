"""What runs besides backups, by its locks."""

from __future__ import annotations

import os
import platform

from kit.models.owners import enter_owner
from kit.models.rows import lock
from producer.catalog.catalog import Catalog
from producer.host.processes import pid_space, start_of
from producer.monitor.survey import survey


def owner(catalog: Catalog) -> str:
    return enter_owner(catalog, host=platform.node(), space=pid_space(), pid=os.getpid(), start=start_of(os.getpid()))


def test_a_restore_and_a_check_run_besides_backups(catalog: Catalog) -> None:
    lock(catalog, "home")
    restoring, checking = owner(catalog), owner(catalog)
    catalog.locks.take(f"snapshot {'1' * 32} {restoring[:8]}", restoring, "restore")
    for digit in "23":
        catalog.locks.take(f"snapshot {digit * 32} {checking[:8]}", checking, "check")

    found = {run.purpose: run for run in survey(catalog).others}

    assert found.keys() == {"restore", "check"}
    assert found["restore"].snapshot_ids == ("1" * 32,)
    assert found["check"].snapshot_ids == ("2" * 32, "3" * 32)
    assert f"pid {os.getpid()} on {platform.node()}" in found["check"].held_by


def test_a_backup_that_reads_its_parent_is_no_other_run(catalog: Catalog) -> None:
    owner_id = lock(catalog, "home")
    catalog.locks.take(f"snapshot {'1' * 32} {owner_id[:8]}", owner_id, "backup of home")
    assert survey(catalog).others == ()


def test_what_died_does_not_run(catalog: Catalog) -> None:
    gone = enter_owner(catalog, host=platform.node(), space=pid_space(), pid=os.getpid(), start="another start")
    catalog.locks.take(f"snapshot {'1' * 32} {gone[:8]}", gone, "restore")
    assert survey(catalog).others == ()
