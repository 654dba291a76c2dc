"""What a sealed snapshot leaves on its devices: enough to restore it without the catalog."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kit.models.offline import Devices, Offline, backup_request
from kit.tree import Entries, Tree, noise
from producer.backup.intake.intake import Intake
from producer.backup.sealing.seal import seal
from producer.catalog.catalog import Catalog
from producer.catalog.tables.troubles import TroubleRow
from producer.listing.tree.decoding import decode_tree_part
from producer.manifest import (
    ManifestHead,
    decode_head,
    decode_index,
    decode_pack,
    decode_tree,
    decode_troubles,
    head_name,
)
from producer.requests import BackupRequest
from tasks.errors import CatalogError, DeviceError, Reason
from tasks.generations import decode_generation, generation_name
from tasks.orders import DescribeDevice, Order, PutManifest
from tasks.receipts import Failure

KIB = 1024
TREE: Entries = {"a": b"12345", b"na\xefve": b"67890", "large": noise(300 * KIB)}
REFUSES = Failure(reason=Reason.DEVICE, code="device", message="disk on fire")


class Sealing:
    """A snapshot on devices a and b, whose segments are all stored but when it is not so wished."""

    def __init__(self, catalog: Catalog, folder: Path, *, is_stored: bool = True) -> None:
        self.sources = {name: Tree(TREE).make(folder / name) for name in ("one", "two")}
        for file in (path for root in self.sources.values() for path in root.rglob("*")):
            # Long before the backup: so a second one takes them as unchanged.
            os.utime(file, (10**9, 10**9))
        self.run = Offline(catalog, ["a", "b"], Devices(self.sources))
        self.intake = self.run.plan(self.request())
        if is_stored:
            self.run.store(self.intake)

    def request(self, names: str = "a b") -> BackupRequest:
        return replace(backup_request(self.sources, names), ignore_ctime=True)

    @property
    def files(self) -> Mapping[str, dict[str, bytes]]:
        """Of the manifest, by device."""
        return {
            device: {name: data for name, data in files.items() if not name.endswith(".generation")}
            for device, files in self.run.devices.files.items()
        }

    def seal(self, intake: Intake | None = None) -> None:
        intake = intake or self.intake
        snapshot = self.run.catalog.snapshots.get(intake.snapshot_id)
        seal(self.run.session, snapshot, backup_request(self.sources).plan, intake.members)

    def head(self, device: str) -> ManifestHead:
        return decode_head(self.files[device][head_name(self.intake.snapshot_id)])

    def part(self, device: str, kind: str) -> bytes:
        """The one part of this kind."""
        (part,) = (part for part in self.head(device).parts if part.kind == kind)
        return self.files[device][part.name]


@pytest.fixture
def sealing(catalog: Catalog, tmp_path: Path) -> Sealing:
    return Sealing(catalog, tmp_path)


def test_every_device_gets_the_same_files_and_the_head_last(sealing: Sealing) -> None:
    sealing.seal()
    assert sealing.files["a"] == sealing.files["b"]
    for device in "ab":
        names = list(sealing.files[device])
        assert names[-1] == head_name(sealing.intake.snapshot_id)
        assert names[:-1] == [part.name for part in sealing.head(device).parts]
    assert sealing.run.catalog.snapshots.get(sealing.intake.snapshot_id).state == "sealed"


def test_each_seal_raises_the_generation_in_the_catalog_and_on_the_devices(sealing: Sealing) -> None:
    sealing.seal()

    generations = sealing.run.catalog.generations
    for device in "ab":
        found = decode_generation(sealing.run.devices.files[device][generation_name(generations.catalog_id)])
        assert found is not None and found.number == 1 and generations.knows(found)


def test_an_old_copy_of_the_catalog_leaves_the_generation_of_a_device_as_it_is(sealing: Sealing) -> None:
    sealing.intake.members["a"].is_ahead = True

    sealing.seal()

    name = generation_name(sealing.run.catalog.generations.catalog_id)
    assert name not in sealing.run.devices.files["a"] and name in sealing.run.devices.files["b"]


def test_the_tree_comes_first_and_is_that_of_the_catalog(sealing: Sealing) -> None:
    sealing.seal()
    assert [part.kind for part in sealing.head("a").parts] == ["tree", "pack", "index"]
    pack, paths, first = decode_pack(sealing.part("a", "pack")), list[str](), 0
    for digest, source, count in decode_tree(sealing.part("a", "tree")):
        name = sealing.head("a").sources[source].name
        paths += [entry.snapshot_path for batch in decode_tree_part(pack[digest], name, first) for entry in batch]
        first += count
    tree = sealing.run.catalog.trees.of(sealing.intake.snapshot_id)
    assert paths == [entry.snapshot_path for batch in tree.batches() for entry in batch]
    assert "two/na\udcefve" in paths


def test_the_index_says_which_device_holds_each_segment(sealing: Sealing) -> None:
    sealing.seal()
    devices = sealing.head("b").devices
    rows = decode_index(sealing.part("b", "index"))
    stored = list(sealing.run.catalog.segments.stored(sealing.intake.snapshot_id))
    assert {(row.segment_id, devices[row.device].device_id, row.bytes_stored) for row in rows} == {
        (row.segment_id, row.device_id, row.bytes_stored) for row in stored
    }


def test_a_second_snapshot_of_the_same_tree_brings_no_part_again(sealing: Sealing) -> None:
    sealing.seal()
    sealing.run = Offline(sealing.run.catalog, ["a", "b"], sealing.run.devices)
    second = sealing.run.plan(sealing.request())
    assert second.snapshot_id != sealing.intake.snapshot_id
    sealing.run.store(second)
    first, sealing.intake = sealing.intake, second
    sealing.seal(second)
    trees = sealing.run.catalog.trees
    assert [part.digest for part in trees.of(first.snapshot_id).parts] == [
        part.digest for part in trees.of(second.snapshot_id).parts
    ]
    assert [part.kind for part in sealing.head("a").parts] == ["tree"]


def test_a_device_that_joins_later_gets_all_parts_and_the_index_of_what_they_need(sealing: Sealing) -> None:
    sealing.seal()
    first = sealing.intake
    sealing.run = Offline(sealing.run.catalog, ["a", "b", "c"], sealing.run.devices)
    sealing.intake = sealing.run.plan(sealing.request("a b c"))
    sealing.run.store(sealing.intake)
    sealing.seal()
    needed = {digest for digest, _, _ in decode_tree(sealing.part("c", "tree"))}
    assert decode_pack(sealing.part("c", "pack")).keys() == needed
    indexed = {row.segment_id for row in decode_index(sealing.part("c", "index"))}
    assert indexed >= {row.segment_id for row in sealing.run.catalog.segments.stored(first.snapshot_id)}


def test_the_head_adds_up(sealing: Sealing) -> None:
    sealing.seal()
    head = sealing.head("a")
    sizes = [size for size in sealing.intake.sizes if size > 0]
    assert (head.totals.files_count, head.totals.bytes_source) == (6, sum(sizes))
    assert head.totals.segments_count == sum(device.segments_count for device in head.devices)
    assert head.totals.segments_count == len(decode_index(sealing.part("a", "index")))
    assert head.totals.bytes_stored == sum(row.bytes_stored for row in decode_index(sealing.part("a", "index")))
    assert [source.name for source in head.sources] == ["one", "two"]


def test_troubles_are_told_by_the_path_in_the_snapshot_or_the_absolute_one_if_not_listed(sealing: Sealing) -> None:
    sealing.run.catalog.troubles.add(
        sealing.intake.snapshot_id,
        [
            TroubleRow(entry_index=1, path="/somewhere/one/a", code="changed", message="grew"),
            TroubleRow(entry_index=None, path="/somewhere/one/secret", code="unreadable", message="no"),
        ],
    )
    sealing.seal()
    rows = decode_troubles(sealing.part("a", "troubles"))
    assert [(row.entry, row.path, row.code) for row in rows] == [
        (1, "one/a", "changed"),
        (-1, "/somewhere/one/secret", "unreadable"),
    ]


def test_a_device_that_is_away_is_named_with_what_it_holds(sealing: Sealing) -> None:
    catalog, devices = sealing.run.catalog, sealing.run.devices
    held = [row for row in catalog.segments.stored(sealing.intake.snapshot_id) if row.device == "a"]
    sealing.run = Offline(catalog, ["b"], devices)
    sealing.seal(sealing.run.plan(backup_request(sealing.sources, "b")))
    assert sealing.files.keys() == {"b"}
    (away,) = (device for device in sealing.head("b").devices if device.name == "a")
    assert away.device_id == held[0].device_id
    assert (away.segments_count, away.bytes_stored) == (len(held), sum(row.bytes_stored for row in held))


def test_a_device_that_bears_another_name_now_has_what_it_stored_under_the_old_one(sealing: Sealing) -> None:
    devices = sealing.run.devices
    devices.reports["renamed"] = devices.reports.pop("a")
    sealing.run = Offline(sealing.run.catalog, ["renamed", "b"], devices)
    sealing.seal(sealing.run.plan(backup_request(sealing.sources, "renamed b")))
    head = sealing.head("b")
    assert [device.name for device in head.devices] == ["renamed", "b"]
    assert head.totals.segments_count == len(decode_index(sealing.part("b", "index")))
    assert all(device.segments_count for device in head.devices)


def test_a_device_that_does_not_take_a_part_gets_no_head_and_the_snapshot_is_sealed(sealing: Sealing) -> None:
    answer = sealing.run.devices.answer

    def refuse_on_a(order: Order) -> object:
        return REFUSES if order.device == "a" and isinstance(order, PutManifest) else answer(order)

    sealing.run.wires.answers = refuse_on_a
    sealing.seal()
    assert sealing.files.keys() == {"b"}
    (trouble,) = sealing.run.observer.troubles
    assert (trouble.code, trouble.message) == (
        "manifest",
        "device a is dead, and has no manifest of this snapshot: disk on fire",
    )
    assert sealing.run.catalog.snapshots.get(sealing.intake.snapshot_id).state == "sealed"
    assert sealing.intake.members["a"].state == "dead"
    states = {row.name: (row.state, row.reason) for row in sealing.run.catalog.devices.all()}
    assert states == {"a": ("dead", "disk on fire"), "b": ("live", "")}


def test_a_device_that_fails_a_part_once_is_asked_again(sealing: Sealing) -> None:
    answer = sealing.run.devices.answer
    failed: list[Any] = []

    def fail_once(order: Order) -> object:
        if order.device == "a" and isinstance(order, PutManifest) and not failed:
            failed.append(order)
            return REFUSES
        return answer(order)

    sealing.run.wires.answers = fail_once
    sealing.seal()

    assert failed
    assert sealing.files["a"] == sealing.files["b"]
    assert sealing.run.observer.troubles == []
    assert sealing.intake.members["a"].is_live


def test_a_dead_device_that_is_asked_whether_it_is_back_is_not_waited_for(sealing: Sealing) -> None:
    session, answer = sealing.run.session, sealing.run.devices.answer
    sealing.intake.members["b"].state = "dead"
    session.courier.send([DescribeDevice(order_id="f" * 32, **session.order_fields("b"))])
    sealing.run.wires.answers = lambda order: None if order.device == "b" else answer(order)

    sealing.seal()

    assert sealing.files.keys() == {"a"}
    assert sealing.run.observer.troubles == []


def test_when_no_device_takes_the_manifest_the_snapshot_stays_open(sealing: Sealing) -> None:
    sealing.run.wires.answers = lambda order: REFUSES
    with pytest.raises(DeviceError, match="no device took the manifest"):
        sealing.seal()
    assert sealing.run.catalog.snapshots.get(sealing.intake.snapshot_id).state == "open"


def test_a_snapshot_that_lacks_a_segment_gets_no_head(catalog: Catalog, tmp_path: Path) -> None:
    sealing = Sealing(catalog, tmp_path, is_stored=False)

    with pytest.raises(CatalogError, match="segments are not stored"):
        sealing.seal()

    assert head_name(sealing.intake.snapshot_id) not in sealing.files["a"] | sealing.files["b"]


def test_a_second_sealing_after_a_crash_writes_the_same_parts(sealing: Sealing) -> None:
    answer = sealing.run.devices.answer

    def refuse_the_head(order: Order) -> object:
        return REFUSES if isinstance(order, PutManifest) and order.name.endswith(".manifest") else answer(order)

    sealing.run.wires.answers = refuse_the_head
    with pytest.raises(DeviceError):
        sealing.seal()
    before = {device: dict(files) for device, files in sealing.files.items()}
    sealing.run = Offline(sealing.run.catalog, ["a", "b"], sealing.run.devices)
    sealing.seal(sealing.run.plan(backup_request(sealing.sources)))
    for device, files in before.items():
        assert files
        assert {name: sealing.files[device][name] for name in files} == files
