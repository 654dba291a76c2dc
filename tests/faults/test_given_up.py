"""Segments that fail again and again are kept as failed, with their history, and can be tried again later."""

from __future__ import annotations

from kit.compare import differences
from kit.program.command import Done
from kit.program.json_lines import follow_their_schema
from kit.program.machine import Machine
from kit.program.proof import bring_back
from kit.program.scene import Scene
from producer.catalog.catalog import Catalog
from tasks.errors import Reason


def catalog_of(machine: Machine) -> Catalog:
    return Catalog(f"sqlite:///{machine.state / 'catalog.sqlite'}")


def open_snapshot(machine: Machine) -> str:
    with catalog_of(machine) as catalog:
        (snapshot,) = catalog.snapshots.open_of("scene")
        return snapshot.snapshot_id


def run_without_source(scene: Scene) -> Done:
    """A backup whose source goes away in the middle: another device, or another try, does not help."""
    running = scene.start("--retries=1")
    scene.source.rename(scene.machine.folder / "data is away")
    return scene.finish(running)


def test_a_segment_given_up_is_failed_in_the_catalog_with_all_its_tries(machine: Machine) -> None:
    scene = Scene(machine, rate="256KiB")
    done = run_without_source(scene)

    assert done.exit_code == 1
    assert "could not be stored" in done.errors[-1]["message"]
    assert "segfleet retry" in done.stderr
    snapshot_id = open_snapshot(machine)
    with catalog_of(machine) as catalog:
        failed = catalog.segments.failed(snapshot_id)
        attempts = catalog.transitions.attempts(snapshot_id)
    assert failed
    for row in failed:
        tries = [attempt for attempt in attempts if attempt.number == row.number]
        # The first, and one more.
        assert [attempt.attempt for attempt in tries] == [1, 2]
        assert {attempt.reason for attempt in tries} == {Reason.SOURCE}
        assert all(attempt.message for attempt in tries)


def test_what_was_given_up_is_stored_by_retry_once_the_reason_is_gone(machine: Machine) -> None:
    scene = Scene(machine, rate="256KiB")
    run_without_source(scene)
    (machine.folder / "data is away").rename(scene.source)
    before = set(machine.segments_on())

    done = machine.run("retry", "--json")

    assert before < set(machine.segments_on())
    follow_their_schema("retry", done.rows)
    scene.prove(done)


def test_a_retry_stores_on_the_devices_that_are_given_then(machine: Machine) -> None:
    scene = Scene(machine, "a b", rate="256KiB")
    run_without_source(scene)
    (machine.folder / "data is away").rename(scene.source)

    done = machine.succeed("retry", "--json", *machine.devices("a c"))
    back = bring_back(machine, "out")

    assert {name: row["state"] for name, row in done.summary["devices"].items()} == {
        "a": "live",
        "b": "absent",
        "c": "live",
    }
    assert done.summary["devices"]["c"]["segments"]
    assert differences(scene.source, back / "data") == []
