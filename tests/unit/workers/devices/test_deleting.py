"""What a worker deletes on a device, and for whom."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tasks.errors import NotADeviceError, RunOverError
from tasks.orders.cleaning import DeleteResult, DeleteStored, ListObjects
from workers.devices.deleting import AppendOnlyError, OtherCatalogError, delete_stored, list_objects
from workers.devices.keys import manifest_key, object_key
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker

ONE, TWO = "1" * 32, "2" * 32
HEAD, PART = f"{ONE}.manifest", f"{ONE}.000000.part"
MARKER = Marker(
    format_version=1,
    device_id="d" * 32,
    name="a",
    pool_id="e" * 32,
    created="2026-01-01T00:00:00Z",
    catalog_id="c" * 32,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for key in (object_key(ONE), object_key(TWO), manifest_key(HEAD), manifest_key(PART)):
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(b"12345")
    return tmp_path


@pytest.fixture
def device(folder: Path) -> LocalDevice:
    device = LocalDevice("a", folder)
    device.write_marker(MARKER)
    device.claim(MARKER.device_id)
    return device


def order(**fields: object) -> DeleteStored:
    envelope = {"run_id": "0" * 32, "order_id": "0" * 32, "device": "a", "device_id": MARKER.device_id, "epoch": 0}
    common = {**envelope, "attempt": 1, "reply_to": "manager.local", "catalog_id": MARKER.catalog_id}
    return DeleteStored(**{**common, **fields})  # type: ignore[arg-type]


def delete(
    device: LocalDevice, made: DeleteStored, *, append_only: bool = False, before: Callable[[], None] = lambda: None
) -> DeleteResult:
    marker = device.claim(MARKER.device_id)
    return delete_stored(made, device=device, marker=marker, append_only=append_only, before_each=before)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()} - {"segfleet.json"}


def test_what_is_named_is_deleted_and_all_else_stays(device: LocalDevice, folder: Path) -> None:
    result = delete(device, order(manifest_names=(HEAD,), object_ids=(ONE,)))

    assert (result.deleted_count, result.bytes_freed, result.kept) == (2, 10, ())
    assert files(folder) == {PART, f"{TWO}.seg"}


def test_a_repeated_order_deletes_nothing_more(device: LocalDevice) -> None:
    delete(device, order(object_ids=(ONE,)))

    assert delete(device, order(object_ids=(ONE,))).deleted_count == 0


def test_each_folder_is_synced_once_for_all_that_goes_from_it(
    device: LocalDevice, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name))

    delete(device, order(manifest_names=(HEAD, PART), object_ids=(ONE, TWO)))

    assert synced == ["manifests", "11", "22"]


def test_only_the_catalog_that_the_marker_names_may_delete(device: LocalDevice, folder: Path) -> None:
    with pytest.raises(OtherCatalogError, match="taken into its pool by catalog cccccccc"):
        delete(device, order(catalog_id="f" * 32, object_ids=(ONE,)))

    assert len(files(folder)) == 4


def test_nobody_may_delete_where_the_marker_names_no_catalog(device: LocalDevice, folder: Path) -> None:
    marker = replace(MARKER, catalog_id="")

    with pytest.raises(OtherCatalogError, match="catalog of an unknown id"):
        delete_stored(order(), device=device, marker=marker, append_only=False, before_each=lambda: None)


def test_an_append_only_device_keeps_all(device: LocalDevice, folder: Path) -> None:
    with pytest.raises(AppendOnlyError, match="append-only"):
        delete(device, order(object_ids=(ONE,), manifest_names=(HEAD, PART)), append_only=True)

    assert len(files(folder)) == 4


def test_a_folder_in_place_of_an_object_stays_and_is_named(device: LocalDevice, folder: Path) -> None:
    (folder / object_key(ONE)).unlink()
    (folder / object_key(ONE)).mkdir()

    result = delete(device, order(object_ids=(ONE, TWO)))

    assert [file.name for file in result.kept] == [ONE]
    assert result.deleted_count == 1


def test_a_link_in_place_of_an_object_is_removed_and_not_what_it_leads_to(device: LocalDevice, folder: Path) -> None:
    (folder / object_key(ONE)).unlink()
    (folder / object_key(ONE)).symlink_to(folder / object_key(TWO))

    result = delete(device, order(object_ids=(ONE,)))

    assert (result.deleted_count, result.bytes_freed) == (1, 0)
    assert f"{TWO}.seg" in files(folder)


def test_an_order_whose_run_ends_stops_before_the_next_file(device: LocalDevice, folder: Path) -> None:
    calls: list[int] = []

    def over() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise RunOverError("the run has ended")

    with pytest.raises(RunOverError):
        delete(device, order(object_ids=(ONE, TWO)), before=over)

    assert f"{TWO}.seg" in files(folder) and f"{ONE}.seg" not in files(folder)


def test_a_device_that_went_away_is_no_device(device: LocalDevice, folder: Path) -> None:
    (folder / "segfleet.json").unlink()

    with pytest.raises(NotADeviceError):
        delete_stored(
            order(object_ids=(ONE,)), device=device, marker=MARKER, append_only=False, before_each=lambda: None
        )
    assert len(files(folder)) == 4


def test_only_objects_are_listed_and_only_in_their_folders(device: LocalDevice, folder: Path) -> None:
    (folder / "segments" / "11" / "notes.txt").write_text("")
    (folder / "segments" / "11" / f"{TWO}.seg").write_text("")
    (folder / "segments" / "11" / f"{'1' * 31}2.seg.00.tmp").write_text("")
    envelope = {name: getattr(order(), name) for name in ("run_id", "order_id", "device", "device_id", "epoch")}

    listed = list_objects(ListObjects(**envelope, attempt=1, reply_to="manager.local", digit="1"), device=device)

    assert listed.object_ids == (ONE,)
