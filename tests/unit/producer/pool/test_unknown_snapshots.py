"""Which snapshots on the devices the catalog does not know."""

from __future__ import annotations

from pathlib import Path

from kit.models.offline import backup_request, offline
from kit.tree import Tree
from producer.manifest import head_name, part_name
from producer.pool.manifests.unknown_snapshots import tell_unknown_snapshots, unknown_snapshots

KNOWN, OTHER = "1" * 32, "2" * 32


def test_a_snapshot_counts_by_its_head_and_once() -> None:
    names = [head_name(KNOWN), head_name(OTHER), head_name(OTHER), part_name("3" * 32, 0)]
    assert unknown_snapshots(names, [KNOWN]) == {OTHER}


def test_the_devices_are_asked_and_the_catalog_is_named(tmp_path: Path) -> None:
    with offline(tmp_path) as run:
        intake = run.plan(backup_request({"data": Tree({"a": b"1"}).make(tmp_path / "data")}))
        present = {member.device_id: name for name, member in intake.members.items()}
        # One that is open is known.
        run.devices.files["a"] = {head_name(intake.snapshot_id): b""}
        assert tell_unknown_snapshots(run.session, present) == 0

        run.devices.files["b"] = {head_name(KNOWN): b"", head_name(OTHER): b""}

        assert tell_unknown_snapshots(run.session, present) == 2
        (trouble,) = run.observer.troubles
        assert trouble.code == "unknown-snapshots"
        assert f"2 snapshots on these devices are not in this catalog ({tmp_path}/catalog.sqlite)" in trouble.message
