"""A snapshot whose source was scanned before its run began."""

from __future__ import annotations

from pathlib import Path

from kit.models.offline import Devices, Offline, backup_request
from kit.tree import Tree
from producer.backup.intake.take_in import take_in
from producer.catalog.catalog import Catalog
from producer.walk import EarlyScan


def test_it_began_when_its_source_was_first_looked_at(catalog: Catalog, tmp_path: Path) -> None:
    """What has changed since is not trusted by the next backup, however early that was."""
    sources = {"data": Tree({"a": b"1"}).make(tmp_path / "data")}
    request = backup_request(sources)
    early = EarlyScan(request.sources[0], request.exclusions, limit_s=60.0)
    run = Offline(catalog, ["a", "b"], Devices(sources))

    intake = take_in(run.session, request, early=early)

    assert intake.files_count == 1
    assert catalog.snapshots.get(intake.snapshot_id).started_at == early.started_at


def test_an_old_scan_says_nothing_about_when_it_began(catalog: Catalog, tmp_path: Path) -> None:
    sources = {"data": Tree({"a": b"1"}).make(tmp_path / "data")}
    request = backup_request(sources)
    early = EarlyScan(request.sources[0], request.exclusions, limit_s=60.0)
    early._began_s -= 3600.0
    run = Offline(catalog, ["a", "b"], Devices(sources))

    intake = take_in(run.session, request, early=early)

    assert intake.files_count == 1
    assert catalog.snapshots.get(intake.snapshot_id).started_at > early.started_at
